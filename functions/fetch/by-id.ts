import type { NostrEvent } from '../nostr/event.ts';
import type { Connection } from '../upstream/connection.ts';
import { query } from '../upstream/query.ts';
import { BATCH_EVENTS_MAX, IDS_A_REQUEST } from './limits.ts';
import type { Tally } from './tally.ts';

/**
 * Fetches events by id. A relay that gives fewer at a time than were asked for is asked for the
 * rest, as long as something comes; ids that never come are counted as withheld.
 * @throws UpstreamFailure, and what `deliver` throws.
 */
export async function fetchByIds(
  connection: Connection,
  ids: readonly string[],
  deliver: (events: readonly NostrEvent[]) => Promise<void>,
  tally: Tally,
  signal: AbortSignal,
): Promise<void> {
  for (let at = 0; at < ids.length; at += IDS_A_REQUEST) {
    let wanted = new Set(ids.slice(at, at + IDS_A_REQUEST));
    while (wanted.size > 0) {
      signal.throwIfAborted();
      tally.requests += 1;
      const events: NostrEvent[] = [];
      for await (const event of query(connection, [{ ids: [...wanted], limit: wanted.size }])) {
        if (wanted.has(event.id)) events.push(event);
      }
      const left = new Set(wanted);
      for (const { id } of events) left.delete(id);
      for (let from = 0; from < events.length; from += BATCH_EVENTS_MAX) {
        await deliver(events.slice(from, from + BATCH_EVENTS_MAX));
      }
      if (left.size === wanted.size) {
        tally.withheld += left.size;
        break;
      }
      wanted = left;
    }
  }
}
