import type { NostrEvent } from '../nostr/event.ts';
import type { Filter } from '../nostr/filter.ts';
import { halvesOf, otherKinds } from './filter-parts.ts';
import { EMPTY_PAGE, freshOf, idsAt, isEmpty, type Page } from './page.ts';

/** How the pager asks a relay; it needs no more of the world. */
export interface PageSource {
  /** The stored events of one REQ. Throws where the relay answers nothing whole. */
  query(filter: Filter & { readonly limit: number }): Promise<Page>;
  /** The same, but undefined where the relay refuses the question. */
  tryQuery(filter: Filter & { readonly limit: number }): Promise<Page | undefined>;
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
  /** How many events the relay is known to have given for one filter before. */
  readonly gives?: number;
  /** Told when a second cannot be proved whole; throwing from here ends the paging. */
  onIncomplete(second: number, count: number): void;
  /**
   * Told when the first page was not the newest of what matches, so that these seconds may lack
   * something. Looked into, for a request more, only where somebody wants to know.
   */
  readonly onOutOfOrder?: (since: number, until: number) => void;
}

/** A step of the paging. */
export interface Slice {
  /** In no order; none of them came before. */
  readonly events: readonly NostrEvent[];
  /**
   * Every second from here to the filter's `until` has now been given whole, except for those
   * that `onIncomplete` and `onOutOfOrder` were told of.
   */
  readonly wholeFrom: number;
}

/** With how many times the page size a crowded second is asked for once more. */
const RAISE = 20;

/** The smallest cap among the relays that were looked at is 100. */
const CAP_MIN = 50;

/** About 12 kB of REQ, which nearly all relays take. */
const KINDS_AT_ONCE = 2_000;
/** Most relays take a hundred kinds in one filter. */
const KINDS_MIN = 80;

/** From where the paging goes on. */
export interface Next {
  readonly page: Page;
  readonly until: number;
  readonly known: ReadonlySet<string>;
}

/** What is known of one second. */
export class Second {
  readonly at: number;
  readonly ids: Set<string>;
  /** How many of each kind there are. */
  readonly kinds = new Map<number, number>();

  constructor(at: number, ids: Iterable<string>, events: readonly NostrEvent[]) {
    this.at = at;
    this.ids = new Set(ids);
    for (const event of events) this.#count(event.kind);
  }

  /** Those of the page that are new; those of this second are remembered. */
  take(page: Page): NostrEvent[] {
    const fresh = freshOf(page, this.ids);
    for (const event of fresh) {
      if (event.created_at !== this.at) continue;
      this.ids.add(event.id);
      this.#count(event.kind);
    }
    return fresh;
  }

  /** The kind with the fewest events. */
  get rarest(): number | undefined {
    return [...this.kinds].sort(([, a], [, b]) => a - b)[0]?.[0];
  }

  #count(kind: number): void {
    this.kinds.set(kind, (this.kinds.get(kind) ?? 0) + 1);
  }
}

/** How much the relay gives at a time, as far as it has shown, and what to do about it. */
export class Reach {
  readonly #source: PageSource;
  readonly #options: PagerOptions;
  readonly #capMin: number;
  /** The most that the relay has ever given for one filter: it can give at least that much. */
  #largest: number;
  /** The least at which it was seen to stop although there was more. */
  #leastCut = Number.POSITIVE_INFINITY;
  #limitMax: number | undefined | 'unasked' = 'unasked';
  /** How many kinds it was not seen to refuse in one filter. */
  #kindsAtOnce = KINDS_AT_ONCE;

  constructor(source: PageSource, options: PagerOptions) {
    this.#source = source;
    this.#options = options;
    this.#capMin = options.capMin ?? CAP_MIN;
    this.#largest = options.gives ?? 0;
  }

  async page(filter: Filter): Promise<Page> {
    return this.#noted(await this.#source.query({ ...filter, limit: this.#options.pageSize }));
  }

  /** The page was followed by more. */
  noteCut({ received, asked }: Page): void {
    if (received < asked) this.#leastCut = Math.min(this.#leastCut, received);
  }

  /**
   * Gives what is missing of a second that a whole page lies in. Tells from where to go on;
   * undefined where there is nothing older.
   */
  async *beyond(
    filter: Filter,
    page: Page,
    second: Second,
    hasFresh: boolean,
  ): AsyncGenerator<Slice, Next | undefined> {
    let last = page;
    // It has given more of this second before, so what it gives at a time varies.
    if (page.received < second.ids.size) this.noteCut(page);
    let isUncut = await this.#isUncut(page);
    if (isUncut && !hasFresh && page.received < this.#capMin) return undefined;
    if (!isUncut && page.received >= page.asked) {
      // It was our own limit that cut the page: a larger one may reach into older seconds.
      const larger = await this.#larger({ ...filter, until: second.at });
      if (larger !== undefined) {
        const fresh = second.take(larger);
        const oldest = larger.oldest ?? second.at;
        yield { events: fresh, wholeFrom: oldest + 1 };
        if (larger.hint === 'finish') return undefined;
        if (oldest < second.at) return this.#from(filter, oldest, idsAt(larger, oldest));
        if (larger.received >= last.received) last = larger;
        isUncut = await this.#isUncut(last);
      }
    }
    const older = await this.#older(filter, second.at);
    if (isEmpty(older)) {
      const isLow = last.received < Math.min(this.#capMin, this.#leastCut);
      if (isUncut || (isLow && last.hint !== 'more')) return undefined;
    } else {
      // Where something older follows, a page that lies in one second has been cut.
      this.noteCut(last);
    }
    const whole = yield* this.#narrow({ ...filter, since: second.at, until: second.at }, second);
    if (!whole) this.#options.onIncomplete(second.at, second.ids.size);
    yield { events: [], wholeFrom: second.at };
    const isLast = isEmpty(older) || second.at <= (filter.since ?? 0);
    return isLast ? undefined : { page: older, until: second.at - 1, known: new Set() };
  }

  async #from(filter: Filter, until: number, known: ReadonlySet<string>): Promise<Next> {
    return { page: await this.page({ ...filter, until }), until, known };
  }

  /** What follows a second; just a sign of it where it lies before the filter's `since`. */
  async #older(filter: Filter, second: number): Promise<Page> {
    if (second === 0) return EMPTY_PAGE;
    if (second > (filter.since ?? 0)) return this.page({ ...filter, until: second - 1 });
    const { since: _, ...unbounded } = filter;
    const sign = await this.#source.tryQuery({ ...unbounded, until: second - 1, limit: 1 });
    return sign ?? EMPTY_PAGE;
  }

  /** Asks for the parts of a filter of one second; false where they cannot be proved whole. */
  async *#narrow(filter: Filter, second: Second): AsyncGenerator<Slice, boolean> {
    const byKind = filter.kinds === undefined;
    let parts = halvesOf(filter);
    if (parts.length === 0 && byKind) {
      parts = [...second.kinds.keys()].map((kind) => ({ ...filter, kinds: [kind] }));
    } else if (parts.length === 0) return false;
    let whole = true;
    for (const part of parts) {
      const page = await this.#part(part);
      if (page !== undefined) yield { events: second.take(page), wholeFrom: second.at + 1 };
      const isWhole = page !== undefined && (await this.#isWholePart(page));
      if (!isWhole && !(yield* this.#narrow(part, second))) whole = false;
    }
    // Kinds that were never seen are worth asking for only where that proves something.
    if (whole && byKind && parts[0]?.kinds !== undefined) {
      return yield* this.#guess(filter, second);
    }
    return whole;
  }

  /**
   * Asks for all kinds that a second has not shown. With them goes one that it has: a relay that
   * does not give that one has not understood so long a list.
   */
  async *#guess(filter: Filter, second: Second): AsyncGenerator<Slice, boolean> {
    const sign = second.rarest;
    const unseen = otherKinds(second.kinds);
    let at = 0;
    while (sign !== undefined && at < unseen.length) {
      const kinds = unseen.slice(at, at + this.#kindsAtOnce);
      const part = { ...filter, kinds: [sign, ...kinds] };
      const page = await this.#part(part);
      if (page?.events.some(({ kind }) => kind === sign) !== true) {
        if (this.#kindsAtOnce <= KINDS_MIN) return false;
        this.#kindsAtOnce = Math.max(KINDS_MIN, Math.floor(this.#kindsAtOnce / 5));
        continue;
      }
      yield { events: second.take(page), wholeFrom: second.at + 1 };
      if (!(await this.#isWholePart(page)) && !(yield* this.#narrow(part, second))) return false;
      at += kinds.length;
    }
    return sign !== undefined;
  }

  async #part(filter: Filter): Promise<Page | undefined> {
    const page = await this.#source.tryQuery({ ...filter, limit: this.#options.pageSize });
    if (page === undefined) return undefined;
    this.#noted(page);
    return page.received < page.asked ? page : ((await this.#larger(filter)) ?? page);
  }

  async #isWholePart(page: Page): Promise<boolean> {
    if (page.hint !== undefined) return page.hint === 'finish';
    if (page.received >= page.asked) return false;
    return page.received < Math.min(this.#capMin, this.#leastCut) || (await this.#isUncut(page));
  }

  /** The answer to a larger limit; undefined where the relay has none, or none that is larger. */
  async #larger(filter: Filter): Promise<Page | undefined> {
    const { pageSize } = this.#options;
    const limitMax = await this.#says();
    if (this.#leastCut <= pageSize || (limitMax ?? pageSize + 1) <= pageSize) return undefined;
    const limit = pageSize * RAISE;
    const page = await this.#source.tryQuery({ ...filter, limit });
    return page && this.#noted(page);
  }

  /** True where the relay is known to give more than it gave here, though more was asked for. */
  async #isUncut({ received, asked, hint }: Page): Promise<boolean> {
    if (hint === 'more' || received >= asked || received >= this.#leastCut) return false;
    // Of one that gives now more and now less, the most says nothing.
    if (this.#leastCut < this.#largest) return false;
    if (received < this.#largest) return true;
    return received < ((await this.#says()) ?? 0);
  }

  async #says(): Promise<number | undefined> {
    if (this.#limitMax === 'unasked') this.#limitMax = await this.#source.limitMax();
    return this.#limitMax;
  }

  #noted(page: Page): Page {
    this.#largest = Math.max(this.#largest, page.received);
    if (page.hint === 'more') this.noteCut(page);
    return page;
  }
}
