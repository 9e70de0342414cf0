import type { StoredMeta } from '../cloud/envelope.ts';
import type { Journey } from '../cloud/journey.ts';
import type { Log } from '../cloud/log.ts';
import type { Push } from '../cloud/push.ts';
import { OUTCOMES } from './outcomes.ts';
import type { Fate } from './store.ts';

/** Kinds of reasons in one log line; ids stand in it whole, a message holds up to 500. */
const LOGGED_REASONS_MAX = 20;

/**
 * One line for each outcome that people should see, with all ids, so that a search by an event's id
 * finds it; and a line for each event that is followed or that will come no further.
 */
export function report(
  fates: readonly Fate[],
  push: Push | undefined,
  tookMs: number,
  { log, journey, nowMs }: { readonly log: Log; readonly journey: Journey; nowMs(): number },
): void {
  const about = { messageId: push?.messageId, attempt: push?.deliveryAttempt };
  const groups = Map.groupBy(fates, ({ outcome }) => outcome);
  for (const [outcome, group] of groups) {
    const { severity, metric, acknowledge } = OUTCOMES[outcome];
    if (severity === 'debug') continue;
    log[severity](`events ${outcome}`, {
      ...about,
      metric: metric.name,
      reason: metric.reason,
      count: group.length,
      ids: group.map(({ id }) => id),
      reasons: [...new Set(group.map(({ reason }) => reason))].slice(0, LOGGED_REASONS_MAX),
    });
    // What comes again has not ended yet; the line above tells of it at each attempt.
    if (!acknowledge) continue;
    for (const fate of group) {
      if (fate.id !== undefined) {
        const level = severity === 'error' ? 'error' : 'warning';
        journey.failure('stored', fate.id, { ...about, ...stepOf(fate, nowMs()) }, level);
      }
    }
  }
  for (const fate of fates) {
    const { id, outcome } = fate;
    if (id === undefined || OUTCOMES[outcome].severity !== 'debug' || !journey.follows(id))
      continue;
    journey.step('stored', id, { ...about, ...stepOf(fate, nowMs()) });
  }
  const counts = Object.fromEntries([...groups].map(([outcome, group]) => [outcome, group.length]));
  log.debug('message taken', { ...about, tookMs, counts });
}

function stepOf({ outcome, reason, line }: Fate, nowMs: number): object {
  const { acceptedAt, change } = (line?.meta ?? {}) as Partial<StoredMeta>;
  return {
    outcome,
    reason,
    acceptedAt,
    // Until every relay instance could know, by the clocks of two machines.
    toldAfterMs: acceptedAt && nowMs - acceptedAt,
    transaction: change?.transaction,
  };
}
