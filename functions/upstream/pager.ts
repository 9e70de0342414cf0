import type { NostrEvent } from '../nostr/event.ts';
import type { Filter } from '../nostr/filter.ts';
import { UpstreamFailure } from './failure.ts';
import { partsOf } from './filter-parts.ts';
import { isNewestFirst, type Page } from './page.ts';

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

/**
 * All stored events that match, from the newest to the oldest, each once, from any relay of
 * NIP-01, however few it gives at a time and in whatever order. A page is believed to be the
 * newest of what matches, so all seconds after its oldest one are whole; the oldest may go on in
 * the next page, which therefore begins with that same second. A short page ends nothing: the end
 * is where nothing older comes, or where the relay says so (NIP-67). A second that may be more
 * than a page is asked for with a larger limit and then by ever narrower filters, and
 * `onIncomplete` is told if none of it can prove the second whole.
 */
export async function* pageBackwards(
  source: PageSource,
  filter: Filter,
  options: PagerOptions,
): AsyncGenerator<Slice, void, undefined> {
  const since = filter.since ?? 0;
  const reach = new Reach(source, options);
  let until = filter.until;
  if (until !== undefined && since > until) return;
  /** Ids of the second `until` that were given already; no others can come again. */
  let known: ReadonlySet<string> = new Set();
  let page = await reach.page(pageFilter(filter, until));
  if (options.onOutOfOrder !== undefined) {
    const missed = await missedAtTop(reach, filter, page, options.onOutOfOrder);
    if (missed.length > 0) yield { events: missed, wholeFrom: (until ?? since) + 1 };
  }
  for (;;) {
    const fresh = freshOf(page, known);
    if (page.hint === 'finish' || isEmpty(page)) return yield { events: fresh, wholeFrom: since };
    const oldest = oldestOf(page);
    if (until === undefined || oldest < until) {
      yield { events: fresh, wholeFrom: oldest + 1 };
      known = idsAt(page, oldest);
      until = oldest;
      const next = await reach.page(pageFilter(filter, until));
      if (next.oldest !== undefined && next.oldest < until) reach.noteCut(page);
      page = next;
      continue;
    }
    const second = new Second(until, [...known, ...fresh.map(({ id }) => id)], page.events);
    yield { events: fresh, wholeFrom: until + 1 };
    const next: Next | undefined = yield* reach.beyond(filter, page, second, fresh.length > 0);
    if (next === undefined) return yield { events: [], wholeFrom: since };
    ({ page, until, known } = next);
  }
}

/** From where the paging goes on. */
interface Next {
  readonly page: Page;
  readonly until: number;
  readonly known: ReadonlySet<string>;
}

/** What is known of one second. */
class Second {
  readonly at: number;
  readonly ids: Set<string>;
  readonly kinds = new Set<number>();

  constructor(at: number, ids: Iterable<string>, events: readonly NostrEvent[]) {
    this.at = at;
    this.ids = new Set(ids);
    for (const event of events) this.kinds.add(event.kind);
  }

  /** Those of the page that are new; those of this second are remembered. */
  take(page: Page): NostrEvent[] {
    const fresh = freshOf(page, this.ids);
    for (const event of fresh) {
      if (event.created_at !== this.at) continue;
      this.ids.add(event.id);
      this.kinds.add(event.kind);
    }
    return fresh;
  }
}

/** How much the relay gives at a time, as far as it has shown, and what to do about it. */
class Reach {
  readonly #source: PageSource;
  readonly #options: PagerOptions;
  readonly #capMin: number;
  /** The most that the relay has ever given for one filter: it can give at least that much. */
  #largest: number;
  /** The least at which it was seen to stop although there was more. */
  #leastCut = Number.POSITIVE_INFINITY;
  #limitMax: number | undefined | 'unasked' = 'unasked';

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
      const larger = await this.#larger(pageFilter(filter, second.at));
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
    return { page: await this.page(pageFilter(filter, until)), until, known };
  }

  /** What follows a second; just a sign of it where it lies before the filter's `since`. */
  async #older(filter: Filter, second: number): Promise<Page> {
    if (second === 0) return EMPTY;
    if (second > (filter.since ?? 0)) return this.page(pageFilter(filter, second - 1));
    const { since: _, ...unbounded } = filter;
    const sign = await this.#source.tryQuery({ ...unbounded, until: second - 1, limit: 1 });
    return sign ?? EMPTY;
  }

  /** Asks for the parts of a filter of one second; false where they cannot be proved whole. */
  async *#narrow(filter: Filter, second: Second): AsyncGenerator<Slice, boolean> {
    const parts = partsOf(filter, second.kinds);
    let whole = parts.length > 0;
    for (const part of parts) {
      // All the kinds that were never seen are worth asking for only where that proves something.
      const isGuess = filter.kinds === undefined && (part.kinds?.length ?? 0) > 1;
      if (!whole && isGuess) return false;
      const page = await this.#part(part);
      if (page !== undefined) yield { events: second.take(page), wholeFrom: second.at + 1 };
      const isWhole = page !== undefined && (await this.#isWholePart(page));
      if (!isWhole && !(yield* this.#narrow(part, second))) whole = false;
    }
    return whole;
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

/**
 * Events that are newer than all of the first page, which must be the newest there are: a relay
 * that gives the oldest first would otherwise be taken for one that has nothing newer.
 */
async function missedAtTop(
  reach: Reach,
  filter: Filter,
  page: Page,
  onOutOfOrder: (since: number, until: number) => void,
): Promise<readonly NostrEvent[]> {
  const newest = page.events.reduce((most, one) => Math.max(most, one.created_at), 0);
  const { until } = filter;
  if (until === undefined || newest >= until || page.events.length < 2) return [];
  const inOneSecond = page.oldest === newest;
  if (page.hint === 'finish' || (isNewestFirst(page.events) && !inOneSecond)) return [];
  const missed = await reach.page({ ...filter, since: newest + 1 });
  if (isEmpty(missed)) return [];
  onOutOfOrder(newest, until);
  return freshOf(missed, new Set());
}

const EMPTY: Page = { events: [], received: 0, oldest: undefined, asked: 0 };

const pageFilter = (filter: Filter, until: number | undefined): Filter =>
  until === undefined ? filter : { ...filter, until };

/** True where the relay has nothing; one that has more and gives nothing is not believed. */
const isEmpty = ({ received, hint }: Page): boolean => received === 0 && hint !== 'more';

function oldestOf({ oldest }: Page): number {
  if (oldest !== undefined) return oldest;
  throw new UpstreamFailure(
    'misbehaved',
    'the relay has more and gives nothing that was asked for',
  );
}

/** The page's events, each once, without those that are known. */
function freshOf(page: Page, known: ReadonlySet<string>): NostrEvent[] {
  const fresh = new Map<string, NostrEvent>();
  for (const event of page.events) if (!known.has(event.id)) fresh.set(event.id, event);
  return [...fresh.values()];
}

const idsAt = (page: Page, second: number): ReadonlySet<string> =>
  new Set(page.events.filter((one) => one.created_at === second).map(({ id }) => id));
