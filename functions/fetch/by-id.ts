import { eventText, type NostrEvent } from '../nostr/event.ts';
import type { Connection } from '../upstream/connection.ts';
import { query } from '../upstream/query.ts';
import { BATCH_BYTES_MAX, BATCH_EVENTS_MAX, LOTS_OF_IDS } from './limits.ts';
import type { Tally } from './tally.ts';

export interface ByIdOptions {
  readonly deliver: (events: readonly NostrEvent[]) => Promise<void>;
  readonly tally: Tally;
  /** True when the visit's bounds are reached: asked between two requests. */
  readonly spent: () => boolean;
}

/**
 * Fetches events by id. What a relay does not give is asked for once more in smaller lots, since
 * some take few ids at a time.
 * @returns the ids that never came, or undefined where the bounds ended it before the last one.
 * @throws UpstreamFailure, and what `deliver` throws.
 */
export async function fetchByIds(
  connection: Connection,
  ids: readonly string[],
  options: ByIdOptions,
): Promise<readonly string[] | undefined> {
  let left = ids;
  for (const lot of LOTS_OF_IDS) {
    const missing: string[] = [];
    for (let at = 0; at < left.length; at += lot) {
      if (options.spent()) return undefined;
      missing.push(...(await fetchLot(connection, left.slice(at, at + lot), options)));
    }
    left = missing;
    if (left.length === 0) break;
  }
  options.tally.withheld += left.length;
  return left;
}

/** One request; gives the ids that it did not answer. */
async function fetchLot(
  connection: Connection,
  ids: readonly string[],
  { deliver, tally }: ByIdOptions,
): Promise<string[]> {
  const wanted = new Set(ids);
  let events: NostrEvent[] = [];
  let bytes = 0;
  tally.requests += 1;
  for await (const event of query(connection, [{ ids, limit: ids.length }])) {
    if (!wanted.delete(event.id)) continue;
    events.push(event);
    bytes += eventText(event).length;
    if (events.length < BATCH_EVENTS_MAX && bytes < BATCH_BYTES_MAX) continue;
    await deliver(events);
    events = [];
    bytes = 0;
  }
  if (events.length > 0) await deliver(events);
  return [...wanted];
}
