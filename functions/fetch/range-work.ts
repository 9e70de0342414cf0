import type { Filter } from '../nostr/filter.ts';
import type { NostrEvent } from '../nostr/event.ts';
import type { Connection } from '../upstream/connection.ts';
import { UpstreamFailure } from '../upstream/failure.ts';
import { reconcile } from '../upstream/reconcile.ts';
import { fetchByIds } from './by-id.ts';
import type { Delivery } from './delivery.ts';
import { FRAME_BYTES_MAX, PAGES_A_STEP, RECONCILED_IDS_MAX, ROUNDS_MAX } from './limits.ts';
import { fetchPages } from './pages.ts';
import { newerPart, type Range } from './ranges.ts';
import type { Tally } from './tally.ts';

/** An event of ours, as reconciliation knows it. */
export interface HeldId {
  readonly createdAt: number;
  readonly id: string;
}

/** What fetching a range reaches of the database. */
export interface RangePorts {
  /** Covered seconds of a source for a filter, oldest first. */
  covered(source: number, filterKey: string): Promise<readonly Range[]>;
  /** Notes that a range is whole. */
  cover(range: Range & { readonly source: number; readonly filterKey: string }): Promise<void>;
  /** Ids of what we hold; undefined where there are more than `idsMax`. */
  held(
    filter: Filter,
    range: Range,
    idsMax: number,
    signal: AbortSignal,
  ): Promise<readonly HeldId[] | undefined>;
  readonly nowMs: () => number;
}

export interface RangeBounds {
  readonly eventsMax: number;
  readonly bytesMax: number;
  readonly requestsMax: number;
  readonly signal: AbortSignal;
  /** The largest `limit` that the source says it takes. */
  readonly pageLimit: number | undefined;
  /** Whether NIP-77 is to be tried. */
  readonly nip77: boolean;
}

/** Asked for where the source names no limit of its own. */
const PAGE_LIMIT = 500;

/** Fetches ranges of one source: by reconciliation (NIP-77) where it can, else page by page. */
export class RangeWork {
  readonly #connection: Connection;
  readonly #ports: RangePorts;
  readonly #delivery: Delivery;
  readonly #tally: Tally;
  readonly #bounds: RangeBounds;
  #nip77: boolean;
  #known = false;
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
        const whole = this.#nip77
          ? await this.#reconciled(filter, left)
          : await this.#paged(filter, left, endsAtMs);
        if (whole === 'stuck') break;
        if (whole === 'again') continue;
        await cover(whole);
        until = whole.since - 1;
      }
    }
    return true;
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

  /** The newest part of a range that could be reconciled and was fetched; usually all of it. */
  async #reconciled(filter: Filter, range: Range): Promise<Range | 'again'> {
    const { signal } = this.#bounds;
    for (let part = newest(range, this.#seconds); ; part = newerPart(part)) {
      const items = await this.#ports.held(filter, part, RECONCILED_IDS_MAX, signal);
      if (items === undefined && part.since < part.until) continue;
      try {
        const { need, rounds } = await reconcile(this.#connection, {
          filter: { ...filter, ...part },
          items: items ?? [],
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
        // Longer again each time, since the past is often emptier.
        this.#seconds = part === range ? Number.POSITIVE_INFINITY : 2 * secondsOf(part);
        return part;
      } catch (error) {
        if (!(error instanceof UpstreamFailure)) throw error;
        this.#tally.requests += 1;
        if (error.code === 'refused' && part.since < part.until) continue;
        if (error.code !== 'unsupported' && error.code !== 'refused') throw error;
        // One second is too much for it, or it does not know NIP-77 at all.
        this.#nip77 = false;
        this.#known = error.code === 'unsupported';
        return 'again';
      }
    }
  }

  /** The newest part of a range that some pages have made whole. */
  async #paged(filter: Filter, range: Range, endsAtMs: number): Promise<Range | 'stuck'> {
    const { eventsMax, bytesMax, requestsMax, pageLimit, signal } = this.#bounds;
    const { counts } = this.#delivery;
    const result = await fetchPages(this.#connection, {
      filter,
      since: range.since,
      until: range.until,
      pageLimit: Math.min(pageLimit ?? PAGE_LIMIT, PAGE_LIMIT),
      budget: {
        requestsMax: Math.min(PAGES_A_STEP, requestsMax - this.#tally.requests),
        bytesMax: bytesMax - this.#connection.bytesReceived,
        eventsMax: eventsMax - counts.events,
        deadlineMs: endsAtMs - this.#ports.nowMs(),
      },
      deliver: (events) => this.#delivery.deliver(events),
      signal,
    });
    this.#tally.requests += result.requests;
    this.#tally.invalid += result.invalid;
    this.#tally.suspect += result.suspect.length;
    if (result.failure !== undefined) throw result.failure;
    return result.covered ?? 'stuck';
  }
}

const secondsOf = ({ since, until }: Range): number => until - since + 1;

function newest(range: Range, seconds: number): Range {
  if (secondsOf(range) <= seconds) return range;
  return { since: range.until - seconds + 1, until: range.until };
}
