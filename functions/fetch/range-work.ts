import type { NostrEvent } from '../nostr/event.ts';
import type { Filter } from '../nostr/filter.ts';
import type { Items } from '../nostr/negentropy/items.ts';
import type { Connection } from '../upstream/connection.ts';
import { UpstreamFailure } from '../upstream/failure.ts';
import { query } from '../upstream/query.ts';
import { reconcile } from '../upstream/reconcile.ts';
import { fetchByIds } from './by-id.ts';
import type { Delivery } from './delivery.ts';
import {
  DIFFERING_IDS_MAX,
  EMPTY_DOUBTED_SECONDS,
  FRAME_BYTES_MAX,
  NEEDED_IDS_MAX,
  PAGES_A_STEP,
  RECONCILED_IDS_MAX,
  RECONCILED_SECONDS_FIRST,
  ROUNDS_MAX,
  WITHHELD_SHARE_MAX,
} from './limits.ts';
import { fetchPages } from './pages.ts';
import { newerPart, type Range } from './ranges.ts';
import type { Tally } from './tally.ts';

/** What fetching a range reaches of the database. */
export interface RangePorts {
  /** Covered seconds of a source for a filter, oldest first. */
  covered(source: number, filterKey: string): Promise<readonly Range[]>;
  /** Takes a range back, so that it is fetched again. */
  uncover(range: Range & { readonly source: number; readonly filterKey: string }): Promise<void>;
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
  /** Whether it has given events on an earlier visit. */
  readonly gaveBefore: boolean;
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
  #authenticated = false;
  /** It has announced events that it does not give. */
  #withheld = false;
  #covered = 0;
  #pagesAStep = PAGES_A_STEP;
  /** The most that came for one request so far. */
  #largestPage = 0;
  /** How long a range may be to be reconciled at once, as far as was found out. */
  #seconds = RECONCILED_SECONDS_FIRST;
  /** Whether it speaks NIP-77, where that was found out. */
  #spoken: boolean | undefined;

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

  /** Whether the source speaks NIP-77; undefined where this visit did not find out. */
  get nip77(): boolean | undefined {
    return this.#spoken;
  }

  /** Ranges that were made whole so far. */
  get covered(): number {
    return this.#covered;
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
        for (const range of step.whole) {
          await cover(range);
          this.#covered += 1;
        }
        if (step.failure !== undefined) {
          // Once logged in, the same may be asked again.
          if (!(await this.#loggedIn(step.failure))) throw step.failure;
          continue;
        }
        if (step.next === undefined && this.#spent(endsAtMs)) return false;
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
        ? await this.#reconciled(filter, range, endsAtMs)
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
  async #reconciled(filter: Filter, range: Range, endsAtMs: number): Promise<Step> {
    const { signal } = this.#bounds;
    const spent = (): boolean => this.#spent(endsAtMs);
    for (let part = newest(range, this.#seconds); ; part = newerPart(part)) {
      if (spent()) return { whole: [] };
      const narrower = part.since < part.until;
      const items = await this.#ports.held(filter, part, RECONCILED_IDS_MAX, signal);
      if (items === undefined && narrower) continue;
      if (items === undefined) return this.#pageInstead();
      try {
        const { need, rounds, complete } = await reconcile(this.#connection, {
          filter: { ...filter, ...part },
          items,
          frameBytesMax: FRAME_BYTES_MAX,
          roundsMax: ROUNDS_MAX,
          idsMax: DIFFERING_IDS_MAX,
          signal,
        });
        this.#spoken = true;
        this.#tally.rounds += rounds;
        this.#tally.requests += rounds;
        // Not more than one visit can fetch: else it would begin anew each time.
        if ((!complete || need.length > NEEDED_IDS_MAX) && narrower) continue;
        if (!complete) return this.#pageInstead();
        const deliver = (events: readonly NostrEvent[]) => this.#delivery.deliver(events);
        const options = { deliver, tally: this.#tally, spent };
        const withheld = await fetchByIds(this.#connection, need, options);
        if (withheld === undefined) return { whole: [] };
        // What it announced and does not give by id, it may give by time.
        if (withheld.length > WITHHELD_SHARE_MAX * need.length) {
          this.#withheld = true;
          return this.#pageInstead();
        }
        // What is learnt of a part that turns out to be too much is lost, so growing is for quiet times.
        this.#seconds = (need.length < NEEDED_IDS_MAX / 8 ? 4 : 1) * secondsOf(part);
        return { whole: [part], next: part.since - 1 };
      } catch (error) {
        if (!(error instanceof UpstreamFailure)) throw error;
        this.#tally.requests += 1;
        if (error.code === 'refused' && TOO_MUCH.test(error.message) && narrower) continue;
        if (error.code === 'unsupported') {
          // Silence may have another reason than that it does not know what we say.
          if (!isSilence(error)) this.#spoken = false;
          return this.#pageInstead();
        }
        // Whoever reconciles badly may page well.
        if (error.code === 'misbehaved' && BAD_NEGENTROPY.test(error.message)) {
          this.#spoken = false;
          return this.#pageInstead();
        }
        const later = /^(auth-required|rate-limited):/.test(error.message);
        if (error.code === 'refused' && !later) return this.#pageInstead();
        throw error;
      }
    }
  }

  /** For the rest of this visit. */
  #pageInstead(): Step {
    this.#nip77 = false;
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
    if (result.events === 0 && end === 'complete' && secondsOf(range) > EMPTY_DOUBTED_SECONDS) {
      const doubt = await this.#doubtEmptiness();
      if (doubt !== undefined) return { whole: [], failure: doubt };
    }
    const oldest = Math.min(range.until + 1, ...[...whole, ...suspect].map(({ since }) => since));
    return { whole, next: end === 'complete' ? range.since - 1 : oldest - 1 };
  }

  /**
   * A filter may well match nothing. But nothing at all from a relay that has given or announced
   * events is no answer to build on.
   */
  async #doubtEmptiness(): Promise<UpstreamFailure | undefined> {
    if (!this.#bounds.gaveBefore && !this.#withheld) return undefined;
    this.#tally.requests += 1;
    for await (const _ of query(this.#connection, [{ limit: 1 }])) return undefined;
    return new UpstreamFailure('misbehaved', 'it gives nothing, although it has or had events');
  }
}

/** How relays say that a set is too large to be compared. */
const TOO_MUCH = /^blocked:|too (many|big|large)|limit/i;

/** What `reconcile` says of a message that is none; whatever else is wrong ends the visit. */
const BAD_NEGENTROPY = /^negentropy:/;

const isSilence = ({ cause }: UpstreamFailure): boolean =>
  cause instanceof UpstreamFailure && cause.code === 'timeout';

const secondsOf = ({ since, until }: Range): number => until - since + 1;

function newest(range: Range, seconds: number): Range {
  if (secondsOf(range) <= seconds) return range;
  return { since: range.until - seconds + 1, until: range.until };
}
