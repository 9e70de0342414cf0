import type { Filter } from '../nostr/filter.ts';
import type { Items } from '../nostr/negentropy/items.ts';
import { type Clock, systemClock } from '../upstream/clock.ts';
import type { Connection } from '../upstream/connection.ts';
import { UpstreamFailure } from '../upstream/failure.ts';
import type { RelayInformation } from '../upstream/information.ts';
import { prefixOf } from '../upstream/prefix.ts';
import { query } from '../upstream/query.ts';
import { Backoff } from './backoff.ts';
import { Comparing, frameBytesMaxOf } from './comparing.ts';
import type { Delivery } from './delivery.ts';
import { EMPTY_DOUBTED_SECONDS, PAGES_A_STEP } from './limits.ts';
import { fetchPages } from './pages.ts';
import type { Range } from './ranges.ts';
import { type Step, secondsOf } from './step.ts';
import type { Tally } from './tally.ts';

/** What fetching a range reaches of the database. */
export interface RangePorts {
  /** Covered seconds of a source for a filter, oldest first. */
  covered(source: number, filterKey: string): Promise<readonly Range[]>;
  /** The same of many filters at once; those that have none are left out. */
  coveredOf(
    source: number,
    filterKeys: readonly string[],
  ): Promise<ReadonlyMap<string, readonly Range[]>>;
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
  /** Measures pauses; the system's by default. */
  readonly clock?: Clock;
}

export interface RangeBounds {
  readonly eventsMax: number;
  readonly bytesMax: number;
  readonly requestsMax: number;
  readonly signal: AbortSignal;
  /** When fetching ends, whatever is left, on the clock of `nowMs`: nothing waits for longer. */
  readonly endsAtMs: number;
  /** What the source says of itself (NIP-11). */
  readonly information: RelayInformation | undefined;
  /** Whether it has given events on an earlier visit. */
  readonly gaveBefore: boolean;
  /** Whether NIP-77 is to be tried. */
  readonly nip77: boolean;
}

/** Asked for where the source names no lower limit of its own. */
const PAGE_LIMIT = 500;

/** Fetches ranges of one source: by reconciliation (NIP-77) where it can, else page by page. */
export class RangeWork {
  readonly #connection: Connection;
  readonly #ports: RangePorts;
  readonly #delivery: Delivery;
  readonly #tally: Tally;
  readonly #bounds: RangeBounds;
  readonly #backoff: Backoff;
  readonly #clock: Clock;
  readonly #comparing: Comparing;
  #nip77: boolean;
  #authenticated = false;
  #covered = 0;
  /** The most that came for one request so far. */
  #largestPage = 0;
  #impatient: UpstreamFailure | undefined;

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
    this.#clock = ports.clock ?? systemClock;
    this.#backoff = new Backoff(connection, this.#clock);
    this.#nip77 = bounds.nip77 && frameBytesMaxOf(bounds.information) !== undefined;
    const comparing = {
      held: ports.held,
      deliver: delivery.deliver.bind(delivery),
      patience: (failure: UpstreamFailure) => this.#patience(failure),
      onAnswer: () => this.#backoff.relax(),
    };
    const { information, signal } = bounds;
    this.#comparing = new Comparing(connection, comparing, tally, information, signal);
  }

  /** Whether the source speaks NIP-77; undefined where this visit did not find out. */
  get nip77(): boolean | undefined {
    return this.#comparing.spoken;
  }

  /** Ranges that were made whole so far. */
  get covered(): number {
    return this.#covered;
  }

  /** The source's words where it asked for more patience than this visit has. */
  get impatient(): string | undefined {
    return this.#impatient?.message;
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
    this.#comparing.begin();
    /** The newest at the end. */
    const waiting = [...gaps].reverse();
    for (let range = waiting.pop(); range !== undefined; range = waiting.pop()) {
      if (this.#spent(endsAtMs)) return false;
      const step = await this.#step(filter, range, endsAtMs);
      for (const whole of step.whole) {
        await cover(whole);
        this.#covered += 1;
      }
      if (step.page === true) this.#nip77 = false;
      const left = step.left ?? [range];
      waiting.push(...[...left].reverse());
      if (step.failure !== undefined) await this.#overcome(step.failure);
    }
    return true;
  }

  async #step(filter: Filter, range: Range, endsAtMs: number): Promise<Step> {
    try {
      return this.#nip77
        ? await this.#comparing.step(filter, range, () => this.#spent(endsAtMs))
        : await this.#paged(filter, range, endsAtMs);
    } catch (error) {
      if (error instanceof UpstreamFailure) return { whole: [], failure: error };
      throw error;
    }
  }

  /** Logs in or waits where the source asks for that; throws any other failure. */
  async #overcome(failure: UpstreamFailure): Promise<void> {
    if (failure.code === 'refused' && prefixOf(failure.message) === 'rate-limited') {
      // Without the time for it, the visit ends with what it has.
      await this.#patience(failure);
    } else if (!(await this.#loggedIn(failure))) {
      throw failure;
    }
  }

  /** Waits where the relay asks us to come more slowly; false where the visit has no time for that. */
  async #patience(failure: UpstreamFailure): Promise<boolean> {
    const { endsAtMs, signal } = this.#bounds;
    const waited = await this.#backoff.wait(endsAtMs - this.#ports.nowMs(), signal);
    if (!waited) this.#impatient = failure;
    return waited;
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
      this.#impatient !== undefined ||
      this.#ports.nowMs() >= endsAtMs ||
      this.#delivery.counts.events >= eventsMax ||
      this.#connection.bytesReceived >= bytesMax ||
      this.#tally.requests >= requestsMax
    );
  }

  /** Some pages, from the newest second of a range backwards. */
  async #paged(filter: Filter, range: Range, endsAtMs: number): Promise<Step> {
    const { eventsMax, bytesMax, requestsMax, signal, information } = this.#bounds;
    const limitMax = information?.limitMax;
    const result = await fetchPages(this.#connection, {
      filter,
      ...range,
      pageLimit: PAGE_LIMIT,
      ...(limitMax !== undefined && { limitMax }),
      gives: this.#largestPage,
      budget: {
        requestsMax: requestsMax - this.#tally.requests,
        requestsWanted: PAGES_A_STEP,
        bytesMax: bytesMax - this.#connection.bytesReceived,
        eventsMax: eventsMax - this.#delivery.counts.events,
        deadlineMs: endsAtMs - this.#ports.nowMs(),
      },
      deliver: (events) => this.#delivery.deliver(events),
      signal,
      clock: this.#clock,
      backoff: this.#backoff,
    });
    this.#largestPage = Math.max(this.#largestPage, result.largestPage);
    this.#tally.requests += result.requests;
    this.#tally.suspect += result.suspect.length;
    if (result.undelivered !== undefined) throw result.undelivered;
    const { covered: whole, end, suspect } = result;
    const oldest = Math.min(range.until + 1, ...[...whole, ...suspect].map(({ since }) => since));
    const older = { since: range.since, until: oldest - 1 };
    const left = end === 'complete' || older.until < older.since ? [] : [older];
    if (result.failure !== undefined) return { whole, left, failure: result.failure };
    // What ended it was our patience, of which the visit may have more than this part of it.
    if (end === 'budget' && this.#backoff.isTold) return { whole, left, failure: TOLD };
    if (result.events === 0 && end === 'complete' && secondsOf(range) > EMPTY_DOUBTED_SECONDS) {
      const doubt = await this.#doubtEmptiness();
      if (doubt !== undefined) return { whole: [], failure: doubt };
    }
    return { whole, left };
  }

  /**
   * A filter may well match nothing. But nothing at all from a relay that has given or announced
   * events is no answer to build on.
   */
  async #doubtEmptiness(): Promise<UpstreamFailure | undefined> {
    if (!this.#bounds.gaveBefore && !this.#comparing.withheld) return undefined;
    this.#tally.requests += 1;
    for await (const _ of query(this.#connection, [{ limit: 1 }])) return undefined;
    return new UpstreamFailure('misbehaved', 'it gives nothing, although it has or had events');
  }
}

const TOLD = new UpstreamFailure('refused', 'rate-limited: the relay wants us to come more slowly');
