import type { Filter } from '../nostr/filter.ts';
import type { NostrEvent } from '../nostr/event.ts';
import type { Items } from '../nostr/negentropy/items.ts';
import type { Connection } from '../upstream/connection.ts';
import { UpstreamFailure } from '../upstream/failure.ts';
import { reconcile } from '../upstream/reconcile.ts';
import { fetchByIds } from './by-id.ts';
import type { Delivery } from './delivery.ts';
import { FRAME_BYTES_MAX, PAGES_A_STEP, RECONCILED_IDS_MAX, ROUNDS_MAX } from './limits.ts';
import { fetchPages } from './pages.ts';
import { newerPart, type Range } from './ranges.ts';
import type { Tally } from './tally.ts';

/** What fetching a range reaches of the database. */
export interface RangePorts {
  /** Covered seconds of a source for a filter, oldest first. */
  covered(source: number, filterKey: string): Promise<readonly Range[]>;
  /** Notes that a range is whole. */
  cover(range: Range & { readonly source: number; readonly filterKey: string }): Promise<void>;
  /** Times and ids of what we hold; undefined where there are more than `idsMax`. */
  held(
    filter: Filter,
    range: Range,
    idsMax: number,
    signal: AbortSignal,
  ): Promise<Items | undefined>;
  readonly nowMs: () => number;
}

export interface RangeBounds {
  readonly eventsMax: number;
  readonly bytesMax: number;
  readonly requestsMax: number;
  readonly signal: AbortSignal;
  /** The largest `limit` that the source says it takes. */
  readonly limitMax: number | undefined;
  /** Whether NIP-77 is to be tried. */
  readonly nip77: boolean;
}

/** Asked for where the source names no lower limit of its own. */
const PAGE_LIMIT = 500;

/** What one step has made whole. */
interface Step {
  /** Newest first. */
  readonly whole: readonly Range[];
  /** The newest second that is left; absent where the same is to be tried another way. */
  readonly next?: number;
  readonly failure?: UpstreamFailure;
}

/** Fetches ranges of one source: by reconciliation (NIP-77) where it can, else page by page. */
export class RangeWork {
  readonly #connection: Connection;
  readonly #ports: RangePorts;
  readonly #delivery: Delivery;
  readonly #tally: Tally;
  readonly #bounds: RangeBounds;
  #nip77: boolean;
  #known = false;
  #authenticated = false;
  #pagesAStep = PAGES_A_STEP;
  /** The most that came for one request so far. */
  #largestPage = 0;
  /** How long a range may be to be reconciled at once, as far as was found out. */
  #seconds = Number.POSITIVE_INFINITY;

  constructor(
    connection: Connection,
    ports: RangePorts,
    delivery: Delivery,
    tally: Tally,
    bounds: RangeBounds,
  ) {
    this.#connection = connection;
    this.#ports = ports;
    this.#delivery = delivery;
    this.#tally = tally;
    this.#bounds = bounds;
    this.#nip77 = bounds.nip77;
  }

  /** Whether the source speaks NIP-77; undefined while nobody has tried. */
  get nip77(): boolean | undefined {
    return this.#known || !this.#nip77 ? this.#nip77 : undefined;
  }

  /**
   * Fetches gaps, newest first, and tells `cover` of each part that is whole.
   * @returns false where a bound ended it before the last gap.
   * @throws UpstreamFailure, and what our own side throws.
   */
  async fetch(
    filter: Filter,
    gaps: readonly Range[],
    endsAtMs: number,
    cover: (range: Range) => Promise<void>,
  ): Promise<boolean> {
    for (const gap of gaps) {
      let { until } = gap;
      while (until >= gap.since) {
        if (this.#spent(endsAtMs)) return false;
        const left = { since: gap.since, until };
        const step = await this.#step(filter, left, endsAtMs);
        for (const range of step.whole) await cover(range);
        if (step.failure !== undefined) {
          // Once logged in, the same may be asked again.
          if (!(await this.#loggedIn(step.failure))) throw step.failure;
          continue;
        }
        if (step.next === until) {
          // A crowded second may take more requests than a step has.
          this.#pagesAStep *= 2;
          continue;
        }
        this.#pagesAStep = PAGES_A_STEP;
        until = step.next ?? until;
      }
    }
    return true;
  }

  async #step(filter: Filter, range: Range, endsAtMs: number): Promise<Step> {
    try {
      return this.#nip77
        ? await this.#reconciled(filter, range)
        : await this.#paged(filter, range, endsAtMs);
    } catch (error) {
      if (error instanceof UpstreamFailure) return { whole: [], failure: error };
      throw error;
    }
  }

  /** Answers a relay that asks who we are (NIP-42), once. */
  async #loggedIn({ code, message }: UpstreamFailure): Promise<boolean> {
    if (code !== 'refused' || !/^auth-required:/.test(message) || this.#authenticated) return false;
    this.#authenticated = true;
    this.#tally.requests += 1;
    return (await this.#connection.authenticate()).accepted;
  }

  #spent(endsAtMs: number): boolean {
    const { eventsMax, bytesMax, requestsMax, signal } = this.#bounds;
    return (
      signal.aborted ||
      this.#ports.nowMs() >= endsAtMs ||
      this.#delivery.counts.events >= eventsMax ||
      this.#connection.bytesReceived >= bytesMax ||
      this.#tally.requests >= requestsMax
    );
  }

  /** Reconciles a range, or the newest part of it that is not too much, and fetches what we lack. */
  async #reconciled(filter: Filter, range: Range): Promise<Step> {
    const { signal } = this.#bounds;
    for (let part = newest(range, this.#seconds); ; part = newerPart(part)) {
      const items = await this.#ports.held(filter, part, RECONCILED_IDS_MAX, signal);
      if (items === undefined && part.since < part.until) continue;
      if (items === undefined) return this.#pageInstead(false);
      try {
        const { need, rounds, complete } = await reconcile(this.#connection, {
          filter: { ...filter, ...part },
          items,
          frameBytesMax: FRAME_BYTES_MAX,
          roundsMax: ROUNDS_MAX,
          idsMax: RECONCILED_IDS_MAX,
          signal,
        });
        this.#known = true;
        this.#tally.rounds += rounds;
        this.#tally.requests += rounds;
        const deliver = (events: readonly NostrEvent[]) => this.#delivery.deliver(events);
        await fetchByIds(this.#connection, need, deliver, this.#tally, signal);
        // What it has brought so far shortens the next try.
        if (!complete) return { whole: [] };
        // Longer again each time, since the past is often emptier.
        this.#seconds = part === range ? Number.POSITIVE_INFINITY : 2 * secondsOf(part);
        return { whole: [part], next: part.since - 1 };
      } catch (error) {
        if (!(error instanceof UpstreamFailure)) throw error;
        this.#tally.requests += 1;
        const tooMuch =
          error.code === 'refused' && !/^(auth-required|rate-limited):/.test(error.message);
        if (tooMuch && part.since < part.until) continue;
        if (error.code === 'unsupported') return this.#pageInstead(true);
        if (tooMuch) return this.#pageInstead(false);
        throw error;
      }
    }
  }

  /** From here on pages; `known` where the source does not know NIP-77 at all. */
  #pageInstead(known: boolean): Step {
    this.#nip77 = false;
    this.#known = known;
    return { whole: [] };
  }

  /** Some pages, from the newest second of a range backwards. */
  async #paged(filter: Filter, range: Range, endsAtMs: number): Promise<Step> {
    const { eventsMax, bytesMax, requestsMax, limitMax, signal } = this.#bounds;
    const result = await fetchPages(this.#connection, {
      filter,
      ...range,
      pageLimit: PAGE_LIMIT,
      ...(limitMax !== undefined && { limitMax }),
      gives: this.#largestPage,
      budget: {
        requestsMax: Math.min(this.#pagesAStep, requestsMax - this.#tally.requests),
        bytesMax: bytesMax - this.#connection.bytesReceived,
        eventsMax: eventsMax - this.#delivery.counts.events,
        deadlineMs: endsAtMs - this.#ports.nowMs(),
      },
      deliver: (events) => this.#delivery.deliver(events),
      signal,
    });
    this.#largestPage = Math.max(this.#largestPage, result.largestPage);
    this.#tally.requests += result.requests;
    this.#tally.suspect += result.suspect.length;
    if (result.undelivered !== undefined) throw result.undelivered;
    const { covered: whole, failure, end, suspect } = result;
    if (failure !== undefined) return { whole, failure };
    const oldest = Math.min(range.until + 1, ...[...whole, ...suspect].map(({ since }) => since));
    return { whole, next: end === 'complete' ? range.since - 1 : oldest - 1 };
  }
}

const secondsOf = ({ since, until }: Range): number => until - since + 1;

function newest(range: Range, seconds: number): Range {
  if (secondsOf(range) <= seconds) return range;
  return { since: range.until - seconds + 1, until: range.until };
}
