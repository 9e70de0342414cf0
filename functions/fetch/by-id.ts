import { eventText, type NostrEvent } from '../nostr/event.ts';
import type { Connection } from '../upstream/connection.ts';
import { UpstreamFailure } from '../upstream/failure.ts';
import type { RelayInformation } from '../upstream/information.ts';
import { prefixOf, saysSlowDown } from '../upstream/prefix.ts';
import { BATCH_BYTES_MAX, BATCH_EVENTS_MAX, LOTS_OF_IDS } from './limits.ts';
import type { Tally } from './tally.ts';

export interface ByIdOptions {
  readonly deliver: (events: readonly NostrEvent[]) => Promise<void>;
  readonly tally: Tally;
  /** True when the visit's bounds are reached: asked between two requests. */
  readonly spent: () => boolean;
  /** Waits where the relay asks us to come more slowly; false where there is no time for that. */
  readonly patience: (failure: UpstreamFailure) => Promise<boolean>;
  /** Told when the relay has answered. */
  readonly onAnswer?: () => void;
  /** What the relay says of itself (NIP-11). */
  readonly information?: RelayInformation | undefined;
}

/** An id in a REQ, and what there is of a REQ beside its ids. */
const ID_BYTES = 67;
const REQ_BYTES = 128;

/** How many ids to ask for at a time, and then for those that did not come. */
export function lotsOfIds({ limitMax, messageBytesMax }: RelayInformation = {}): number[] {
  const room = Math.floor(((messageBytesMax ?? Number.POSITIVE_INFINITY) - REQ_BYTES) / ID_BYTES);
  return LOTS_OF_IDS.map((lot) => Math.max(1, Math.min(lot, limitMax ?? lot, room)));
}

/**
 * Fetches events by id. What a relay does not give is asked for once more in smaller lots, since
 * some take few ids at a time; but where it withholds more than `withheldMax`, only as long as
 * smaller lots bring anything.
 * @returns the ids that it is known to withhold: all of them where they are no more than
 *   `withheldMax`, else those that showed it. Undefined where the bounds ended it before.
 * @throws UpstreamFailure, and what `deliver` throws.
 */
export async function fetchByIds(
  connection: Connection,
  ids: readonly string[],
  withheldMax: number,
  options: ByIdOptions,
): Promise<readonly string[] | undefined> {
  const sizes = lotsOfIds(options.information);
  let left = ids;
  for (const [n, size] of sizes.entries()) {
    let missing: string[] = [];
    let trusted = false;
    for (let at = 0; at < left.length; at += size) {
      const lacking = await fetchLot(connection, left.slice(at, at + size), options);
      if (lacking === undefined) return undefined;
      missing.push(...lacking);
      if (trusted || missing.length <= withheldMax) continue;
      // Thousands of ids asked for in small lots would take every request that a visit has.
      const still = await trySmaller(connection, missing, sizes.slice(n + 1), options);
      if (still === undefined) return undefined;
      trusted = still.length < missing.length;
      missing = still;
      if (trusted) continue;
      options.tally.withheld += missing.length;
      return missing;
    }
    left = missing;
    if (left.length === 0) break;
  }
  options.tally.withheld += left.length;
  return left;
}

/**
 * Asks for some of the missing ids in one lot of each smaller size, until one brings something.
 * @returns what is still missing; undefined where the bounds ended it.
 */
async function trySmaller(
  connection: Connection,
  missing: string[],
  sizes: readonly number[],
  options: ByIdOptions,
): Promise<string[] | undefined> {
  for (const size of sizes) {
    // Evenly spread: what is withheld may stand together.
    const step = Math.max(1, Math.floor(missing.length / size));
    const some = missing.filter((_, n) => n % step === 0).slice(0, size);
    const lacking = await fetchLot(connection, some, options);
    if (lacking === undefined) return undefined;
    if (lacking.size === some.length) continue;
    const came = new Set(some.filter((id) => !lacking.has(id)));
    return missing.filter((id) => !came.has(id));
  }
  return missing;
}

/**
 * Asks for one lot, again after each pause that the relay wants.
 * @returns the ids that did not come; undefined where the bounds ended it.
 */
async function fetchLot(
  connection: Connection,
  ids: readonly string[],
  options: ByIdOptions,
): Promise<ReadonlySet<string> | undefined> {
  const wanted = new Set(ids);
  for (;;) {
    if (options.spent()) return undefined;
    const slowed = await request(connection, wanted, options);
    if (slowed === undefined) return wanted;
    if (!(await options.patience(slowed))) return undefined;
  }
}

/**
 * One request. Takes what came out of the wanted ids; what a relay that asks for patience gave
 * before it did is taken, too.
 * @returns why it is to be asked again later; undefined where it has answered.
 */
async function request(
  connection: Connection,
  wanted: Set<string>,
  { deliver, tally, onAnswer }: ByIdOptions,
): Promise<UpstreamFailure | undefined> {
  let events: NostrEvent[] = [];
  let bytes = 0;
  let slowed: UpstreamFailure | undefined;
  tally.requests += 1;
  const filter = { ids: [...wanted], limit: wanted.size };
  const subscription = connection.subscribe([filter]);
  const unwatch = connection.watchNotices((notice) => {
    if (!saysSlowDown(notice)) return;
    slowed ??= new UpstreamFailure('refused', `rate-limited: ${notice}`);
    subscription.close();
  });
  try {
    for await (const item of subscription) {
      if (item.type === 'eose') break;
      if (item.type === 'closed') {
        slowed = new UpstreamFailure('refused', item.message);
        if (prefixOf(item.message) !== 'rate-limited') throw slowed;
        break;
      }
      if (!wanted.delete(item.event.id)) continue;
      events.push(item.event);
      bytes += eventText(item.event).length;
      if (events.length < BATCH_EVENTS_MAX && bytes < BATCH_BYTES_MAX) continue;
      await deliver(events);
      events = [];
      bytes = 0;
    }
  } finally {
    unwatch();
  }
  if (events.length > 0) await deliver(events);
  if (slowed === undefined) onAnswer?.();
  return wanted.size === 0 ? undefined : slowed;
}
