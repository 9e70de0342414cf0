import type { NostrEvent } from '../nostr/event.ts';
import { type Filter, matchesNothing } from '../nostr/filter.ts';
import { type Clock, systemClock } from '../upstream/clock.ts';
import type { Connection } from '../upstream/connection.ts';
import { UpstreamFailure } from '../upstream/failure.ts';
import { pageBackwards } from '../upstream/pager.ts';
import type { Backoff } from './backoff.ts';
import { missingRanges, type Range } from './ranges.ts';
import { BudgetSpent, type FetchBudget, UpstreamPages } from './upstream-pages.ts';

export type { FetchBudget } from './upstream-pages.ts';

export interface FetchPagesOptions {
  /** Its own `since`, `until` and `limit` are not looked at. */
  readonly filter: Filter;
  /** Both ends included. */
  readonly since: number;
  readonly until: number;
  /** The limit that pages are asked with. */
  readonly pageLimit: number;
  readonly budget: FetchBudget;
  /** Resolves when the events are safe. Called with one batch at a time; awaited. */
  deliver(events: readonly NostrEvent[]): Promise<void>;
  /** The upstream's `max_limit` (NIP-11). */
  readonly limitMax?: number;
  /** `largestPage` of earlier work; a shorter answer is then known not to be cut. */
  readonly gives?: number;
  /** No answer is believed to be cut below this size; see `PagerOptions`. */
  readonly capMin?: number;
  readonly pageBytesMax?: number;
  readonly clock?: Clock;
  /** Ends the work as a spent budget does. */
  readonly signal?: AbortSignal;
  /** Pauses that go on from earlier work on the connection. */
  readonly backoff?: Backoff;
}

export interface FetchPagesResult {
  /**
   * - `complete`: all of the range was asked for; what is not in `covered` cannot be proved;
   * - `budget`: it was cut short by its bounds, or by the signal;
   * - `failed`: the upstream failed (`failure`), or `deliver` did (`undelivered`).
   */
  readonly end: 'complete' | 'budget' | 'failed';
  readonly failure?: UpstreamFailure;
  readonly undelivered?: unknown;
  /** The seconds of which everything has been delivered, newest first. */
  readonly covered: readonly Range[];
  /** Seconds, or stretches of them, that were fetched and cannot be proved whole. */
  readonly suspect: readonly Range[];
  /** Events delivered. */
  readonly events: number;
  readonly requests: number;
  /** Bytes received on the wire, over the connection. */
  readonly bytes: number;
  /** Events dropped because id or signature is wrong. */
  readonly invalid: number;
  /** Things dropped that were no events or not what was asked for. */
  readonly unasked: number;
  /** How often the relay told us to come more slowly. */
  readonly slowed: number;
  /** The most that came for one request: this relay gives at least as much at a time. */
  readonly largestPage: number;
}

/** `deliver` failed. */
class Undelivered extends Error {
  override readonly name = 'Undelivered';
}

/**
 * Fetches all that an upstream has for one filter in one stretch of time, from its newest to its
 * oldest second, page by page. Nothing is remembered but the ids of one second; what the upstream
 * does is bounded by the budget. Never throws for what the upstream or `deliver` does: the result
 * says how far it came, and covers only what is certain and delivered.
 */
export async function fetchPages(
  connection: Connection,
  options: FetchPagesOptions,
): Promise<FetchPagesResult> {
  const { since, until, budget, clock = systemClock } = options;
  const { limitMax, pageBytesMax, signal, backoff } = options;
  const wireBytesBefore = connection.bytesReceived;
  const source = new UpstreamPages(connection, {
    budget,
    clock,
    ...(limitMax !== undefined && { limitMax }),
    ...(pageBytesMax !== undefined && { pageBytesMax }),
    ...(signal && { signal }),
    ...(backoff && { backoff }),
  });
  const walk = { wholeFrom: until + 1, events: 0, suspect: [] as Range[] };
  const outcome = await outcomeOf(() => walkBack(source, options, walk));
  return {
    ...outcome,
    covered: missingRanges(walk.suspect, { since: Math.max(since, walk.wholeFrom), until }),
    suspect: walk.suspect,
    events: walk.events,
    requests: source.requests,
    bytes: connection.bytesReceived - wireBytesBefore,
    invalid: source.forged,
    unasked: source.unasked,
    slowed: source.slowed,
    largestPage: source.largest,
  };
}

type Outcome = Pick<FetchPagesResult, 'end' | 'failure' | 'undelivered'>;

async function outcomeOf(work: () => Promise<'complete' | 'budget'>): Promise<Outcome> {
  try {
    return { end: await work() };
  } catch (error) {
    if (error instanceof BudgetSpent) return { end: 'budget' };
    if (error instanceof UpstreamFailure) return { end: 'failed', failure: error };
    if (error instanceof Undelivered) return { end: 'failed', undelivered: error.cause };
    throw error;
  }
}

/** How far the paging came. */
interface Walk {
  wholeFrom: number;
  events: number;
  readonly suspect: Range[];
}

async function walkBack(
  source: UpstreamPages,
  options: FetchPagesOptions,
  walk: Walk,
): Promise<'complete' | 'budget'> {
  const { since, until, budget, pageLimit, limitMax = pageLimit, capMin, gives } = options;
  const { limit: _, ...filter } = { ...options.filter, since, until };
  if (matchesNothing(filter)) {
    walk.wholeFrom = since;
    return 'complete';
  }
  const slices = pageBackwards(source, filter, {
    // Some relays refuse a higher limit instead of lowering it.
    pageSize: Math.min(pageLimit, limitMax),
    ...(gives !== undefined && { gives }),
    ...(capMin !== undefined && { capMin }),
    onIncomplete: (second) => walk.suspect.push({ since: second, until: second }),
    onOutOfOrder: (from, to) => walk.suspect.push({ since: from, until: to }),
  });
  for await (const slice of slices) {
    if (slice.events.length > 0) await delivered(options, slice.events);
    walk.events += slice.events.length;
    walk.wholeFrom = slice.wholeFrom;
    if (walk.wholeFrom <= since) continue;
    const { requestsWanted = Number.POSITIVE_INFINITY, eventsMax } = budget;
    const isEnough = walk.wholeFrom <= until && source.requests >= requestsWanted;
    if (isEnough || walk.events >= eventsMax) return 'budget';
  }
  return 'complete';
}

async function delivered(
  { deliver }: FetchPagesOptions,
  events: readonly NostrEvent[],
): Promise<void> {
  try {
    await deliver(events);
  } catch (error) {
    throw new Undelivered('the events were not taken', { cause: error });
  }
}
