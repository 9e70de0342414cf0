import { compareEvents, type NostrEvent } from '../nostr/event.ts';
import type { Filter } from '../nostr/filter.ts';
import { partsOf } from './filter-parts.ts';

/** How the pager asks a relay; it needs no more of the world. */
export interface PageSource {
  /** The stored events of one REQ. Throws where the relay answers nothing whole. */
  query(filter: Filter): Promise<NostrEvent[]>;
  /** The same, but undefined where the relay refuses the question. */
  tryQuery(filter: Filter): Promise<NostrEvent[] | undefined>;
  /** The most events that the relay says it gives for one filter, where it says so. */
  limitMax(): Promise<number | undefined>;
}

export interface PagerOptions {
  /** The limit that pages are asked with. */
  readonly pageSize: number;
  /**
   * No relay is known whose answers are capped below this, so a shorter answer that nothing older
   * follows is taken for whole.
   */
  readonly capMin?: number;
  /** Told when a second cannot be proved whole; throwing from here ends the paging. */
  onIncomplete(second: number, count: number): void;
}

/** With how many times the page size a crowded second is asked for once more. */
const RAISE = 20;

/** The smallest cap among the relays that were looked at is 100. */
const CAP_MIN = 50;

/**
 * All stored events that match, newest first, each once, from any relay of NIP-01, however few
 * it gives at a time. A page is believed to be the newest of what matches, so all seconds after
 * its oldest one are whole; the oldest may go on in the next page, which therefore begins with
 * that same second. Where one second is more than a page, a larger limit and then ever narrower
 * filters are tried, and `onIncomplete` is told if none of it can prove the second whole.
 */
export async function* pageNewestFirst(
  source: PageSource,
  filter: Filter,
  options: PagerOptions,
): AsyncGenerator<NostrEvent, void, undefined> {
  const crowd = new CrowdedSecond(source, options);
  const wanted = filter.limit ?? Number.POSITIVE_INFINITY;
  let given = 0;
  let until = filter.until;
  /** What is known of the second `until`, which may not be all. */
  let held = new Map<string, NostrEvent>();
  while (given < wanted) {
    const page = await crowd.page({ ...filter, ...(until !== undefined && { until }) });
    const oldest = page.reduce((least, event) => Math.min(least, event.created_at), Infinity);
    const inOneSecond = page.length > 0 && oldest === until;
    const found = new Map(held);
    for (const event of page) found.set(event.id, event);
    if (inOneSecond) await crowd.complete(filter, oldest, page.length, found);
    const whole = [...found.values()].filter((event) => inOneSecond || event.created_at > oldest);
    for (const event of (page.length === 0 ? [...found.values()] : whole).sort(compareEvents)) {
      if (given === wanted) return;
      given += 1;
      yield event;
    }
    if (page.length === 0 || (inOneSecond && oldest === 0)) return;
    held = new Map();
    if (inOneSecond) {
      until = oldest - 1;
    } else {
      until = oldest;
      for (const event of page) if (event.created_at === oldest) held.set(event.id, event);
    }
    if (filter.since !== undefined && until < filter.since) return;
  }
}

/** Gets a second whole that a page may have cut. */
class CrowdedSecond {
  readonly #source: PageSource;
  readonly #options: PagerOptions;
  readonly #capMin: number;
  /** The most that this relay has ever given for one filter: it can give at least that much. */
  #largest = 0;
  #limitMax: number | undefined | 'unasked' = 'unasked';

  constructor(source: PageSource, options: PagerOptions) {
    this.#source = source;
    this.#options = options;
    this.#capMin = options.capMin ?? CAP_MIN;
  }

  async page(filter: Filter): Promise<NostrEvent[]> {
    const page = await this.#source.query({ ...filter, limit: this.#options.pageSize });
    this.#largest = Math.max(this.#largest, page.length);
    return page;
  }

  /** Adds to `found` what is missing of a second of which a page gave `count` events. */
  async complete(
    filter: Filter,
    second: number,
    count: number,
    found: Map<string, NostrEvent>,
  ): Promise<void> {
    if (await this.#isWhole(count, this.#options.pageSize)) return;
    // A larger answer that reaches into older seconds proves this one whole.
    const raised = this.#options.pageSize * RAISE;
    const more = (await this.#source.tryQuery({ ...filter, until: second, limit: raised })) ?? [];
    this.#largest = Math.max(this.#largest, more.length);
    for (const event of more) if (event.created_at === second) found.set(event.id, event);
    if (more.some((event) => event.created_at < second)) return;
    const most = Math.max(count, more.length);
    if (await this.#isWhole(most, raised)) return;
    if (most < this.#capMin && !(await this.#goesOn(filter, second))) return;
    await this.#narrow({ ...filter, since: second, until: second }, found);
  }

  /** True where the relay is known to give more than it gave here, though more was asked for. */
  async #isWhole(count: number, asked: number): Promise<boolean> {
    if (count >= asked) return false;
    if (count < this.#largest) return true;
    if (this.#limitMax === 'unasked') this.#limitMax = await this.#source.limitMax();
    return this.#limitMax !== undefined && count < this.#limitMax;
  }

  async #goesOn(filter: Filter, second: number): Promise<boolean> {
    if (second === 0) return false;
    const older = await this.#source.query({ ...filter, until: second - 1, limit: 1 });
    return older.length > 0;
  }

  /** Asks for the parts of a filter of one second until each part's answer is provably whole. */
  async #narrow(filter: Filter, found: Map<string, NostrEvent>): Promise<void> {
    const second = filter.until ?? 0;
    const parts = partsOf(filter, new Set([...found.values()].map((event) => event.kind)));
    if (parts.length === 0) return this.#options.onIncomplete(second, found.size);
    const asked = this.#options.pageSize * RAISE;
    for (const part of parts) {
      const page =
        (await this.#source.tryQuery({ ...part, limit: asked })) ??
        (await this.#source.tryQuery({ ...part, limit: this.#options.pageSize }));
      if (page === undefined) return this.#options.onIncomplete(second, found.size);
      this.#largest = Math.max(this.#largest, page.length);
      for (const event of page) found.set(event.id, event);
      const isWhole = page.length < this.#capMin || (await this.#isWhole(page.length, asked));
      if (!isWhole) await this.#narrow(part, found);
    }
  }
}
