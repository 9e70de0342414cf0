import { z } from 'zod';
import { decodeLines, type StoredMeta } from '../cloud/envelope.ts';
import type { Log } from '../cloud/log.ts';
import { eventText, parseEvent } from '../nostr/event.ts';

const id = z.string().regex(/^[0-9a-f]{64}$/);
const whole = z.number().int().min(0);

const storedMeta = z.object({
  id,
  outcome: z.enum(['stored', 'duplicate', 'superseded', 'deleted', 'refused', 'ephemeral']),
  acceptedAt: z.number(),
  trace: z.string(),
  reason: z.string().optional(),
  change: z
    .object({
      transaction: whole,
      seq: whole,
      removed: z.array(z.object({ id, seq: whole })),
    })
    .optional(),
});

export interface StoredMessageLine {
  readonly meta: StoredMeta;
  readonly text: string | undefined;
}

/**
 * The lines of a message of `stored`. What is malformed is left out and logged: the changes log
 * tells of the same events, so nothing is lost by it.
 */
export function decodeStored(
  data: Buffer,
  attributes: Readonly<Record<string, string>>,
  log: Log,
): StoredMessageLine[] {
  const lines = decodeLines(data, attributes['format']);
  if (lines === undefined) {
    log.error('a message of `stored` has a format this version cannot read', {
      format: attributes['format'],
    });
    return [];
  }
  const decoded: StoredMessageLine[] = [];
  for (const line of lines) {
    const meta = 'fault' in line ? undefined : storedMeta.safeParse(line.meta);
    if ('fault' in line || meta?.success !== true) {
      log.error('a line of `stored` is malformed', {
        fault: 'fault' in line ? line.fault : 'meta',
      });
      continue;
    }
    const event = line.event === undefined ? undefined : parseEvent(line.event);
    if (event?.ok === false) {
      log.error('a line of `stored` holds no event', { id: meta.data.id, fault: event.reason });
      continue;
    }
    decoded.push({
      meta: meta.data as StoredMeta,
      text: event === undefined ? undefined : eventText(event.value),
    });
  }
  return decoded;
}
