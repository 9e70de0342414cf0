import { z } from 'zod';
import type { Push } from '../cloud/push.ts';
import type { Spend } from '../database/budget.ts';
import { accept, type Result, refuse } from '../nostr/result.ts';

/**
 * What Cloud Billing writes into the topic of a budget, several times a day whether or not a
 * threshold was passed; the thresholds that it may name besides are those of its e-mails.
 */
const notification = z.object({
  costAmount: z.number().min(-1e12).max(1e12),
  budgetAmount: z.number().positive().max(1e12),
  costIntervalStart: z.iso.datetime({ offset: true }),
  currencyCode: z
    .string()
    .regex(/^[A-Z]{3}$/)
    .default(''),
});

/** A period may begin in a time zone that is ahead of the clock, but no later. */
const AHEAD_MS_MAX = 2 * 86_400_000;

/** The notification that a message carries, or what is wrong with it. */
export function parseNotification({ data, publishedAt }: Push, nowMs: number): Result<Spend> {
  if (publishedAt === undefined) return refuse('it does not say when it was published');
  let json: unknown;
  try {
    json = JSON.parse(data.toString('utf8'));
  } catch {
    return refuse('its data is not JSON');
  }
  const parsed = notification.safeParse(json);
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    return refuse(faults.join('; '));
  }
  const { costAmount, budgetAmount, currencyCode, costIntervalStart } = parsed.data;
  const intervalStart = new Date(costIntervalStart);
  // Believed, such a one would make all that come before that day look old.
  if (intervalStart.getTime() > nowMs + AHEAD_MS_MAX) return refuse('its period is yet to come');
  return accept({
    cost: costAmount,
    amount: budgetAmount,
    currency: currencyCode,
    intervalStart,
    publishedAt: new Date(publishedAt),
  });
}
