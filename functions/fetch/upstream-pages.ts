import type { Filter } from '../nostr/filter.ts';
import type { Clock } from '../upstream/clock.ts';
import type { Connection } from '../upstream/connection.ts';
import { UpstreamFailure } from '../upstream/failure.ts';
import { isNewestFirst, type Page, readPage } from '../upstream/page.ts';
import type { PageSource } from '../upstream/pager.ts';
import { prefixOf, saysSlowDown } from '../upstream/prefix.ts';
import type { Dropped } from '../upstream/subscription.ts';
import { Backoff } from './backoff.ts';

/** What a piece of work may cost. */
export interface FetchBudget {
  readonly requestsMax: number;
  /** Ends it sooner where some seconds are whole by then: a crowded second is not left in the middle. */
  readonly requestsWanted?: number;
  /** Of the relay's messages, as they are in memory. */
  readonly bytesMax: number;
  /** Looked at between two pages: the last page may go beyond it. */
  readonly eventsMax: number;
  /** From the start of the piece. */
  readonly deadlineMs: number;
}

export interface UpstreamPagesOptions {
  readonly budget: FetchBudget;
  readonly clock: Clock;
  /** What the upstream says of itself (NIP-11). */
  readonly limitMax?: number;
  /** A page above this is asked for again with half the limit, so that it fits into memory. */
  readonly pageBytesMax?: number;
  /** Ends the work as a spent budget does. */
  readonly signal?: AbortSignal;
  /** Pauses that go on from earlier work on the connection. */
  readonly backoff?: Backoff;
}

/** The budget is spent, or somebody asked us to stop; nobody is to blame. */
export class BudgetSpent extends Error {
  override readonly name = 'BudgetSpent';
}

/** Far above 500 usual events, and some of these fit into the smallest instance. */
const PAGE_BYTES_MAX = 32 * 1_048_576;
/** A few of these come from old software; many are no accident. */
const FORGED_MAX = 20;
const UNASKED_MAX = 100;
/** How often one page is asked for again after an error that the relay calls its own. */
const ERRORS_MAX = 3;

type LimitedFilter = Filter & { readonly limit: number };

/** Why we closed a subscription ourselves. */
type Cut = 'deadline' | 'bytes' | 'large' | 'slower' | 'refused';

/** What one REQ brought: a page, or why there is none and we may go on. */
type Answer = Page | 'larger than memory' | 'slower' | 'refused';

/** One connection as a source of pages, within a budget. */
export class UpstreamPages implements PageSource {
  readonly #connection: Connection;
  readonly #options: UpstreamPagesOptions;
  readonly #deadlineAtMs: number;
  readonly #bytesBefore: number;
  readonly #signal: AbortSignal | undefined;
  readonly #backoff: Backoff;
  readonly #pausesBefore: number;
  #requests = 0;
  #forged = 0;
  #unasked = 0;
  #largest = 0;
  #limitThatFits = Number.POSITIVE_INFINITY;
  #authenticated = false;

  constructor(connection: Connection, options: UpstreamPagesOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#deadlineAtMs = options.clock.nowMs() + options.budget.deadlineMs;
    this.#bytesBefore = connection.messageBytesReceived;
    this.#signal = options.signal;
    this.#backoff = options.backoff ?? new Backoff(connection, options.clock);
    this.#pausesBefore = this.#backoff.pauses;
  }

  get requests(): number {
    return this.#requests;
  }

  /** How often the relay told us to come more slowly. */
  get slowed(): number {
    return this.#backoff.pauses - this.#pausesBefore;
  }

  /** Events whose id or signature is wrong. */
  get forged(): number {
    return this.#forged;
  }

  /** Things that are no events, or not what was asked for. */
  get unasked(): number {
    return this.#unasked;
  }

  /** The most that came for one request. */
  get largest(): number {
    return this.#largest;
  }

  limitMax(): Promise<number | undefined> {
    return Promise.resolve(this.#options.limitMax);
  }

  async query(filter: LimitedFilter): Promise<Page> {
    const page = await this.#ask(filter, false);
    if (page !== undefined) return page;
    throw new UpstreamFailure('refused', 'the relay refused the query');
  }

  async tryQuery(filter: LimitedFilter): Promise<Page | undefined> {
    try {
      return await this.#ask(filter, true);
    } catch (error) {
      if (!(error instanceof UpstreamFailure)) throw error;
      // Some relays do not answer at all what they do not like.
      const isSilent = error.code === 'timeout' && this.#connection.failure === undefined;
      if (error.code === 'refused' || isSilent) return undefined;
      throw error;
    }
  }

  /** Asks until there is a page; undefined where a question that we can do without was refused. */
  async #ask(filter: LimitedFilter, isExtra: boolean): Promise<Page | undefined> {
    let errors = 0;
    let disordered = 0;
    for (;;) {
      const limit = Math.min(filter.limit, this.#limitThatFits);
      let answer: Answer;
      try {
        answer = await this.#askOnce({ ...filter, limit }, isExtra);
      } catch (error) {
        if (!(error instanceof UpstreamFailure) || error.code !== 'refused') throw error;
        const prefix = prefixOf(error.message);
        if (prefix === 'auth-required' && !this.#authenticated) {
          await this.#authenticate();
          continue;
        }
        if (prefix === 'error') errors += 1;
        const isPassing = prefix === 'rate-limited' || (prefix === 'error' && errors <= ERRORS_MAX);
        if (!isPassing) throw error;
        answer = 'slower';
      }
      if (answer === 'refused') return undefined;
      if (answer === 'slower') {
        const leftMs = this.#deadlineAtMs - this.#options.clock.nowMs();
        if (!(await this.#backoff.wait(leftMs, this.#signal))) {
          throw new BudgetSpent('no time to wait');
        }
      } else if (answer === 'larger than memory') {
        if (limit === 1) throw new UpstreamFailure('misbehaved', 'one event is a page too large');
        this.#limitThatFits = Math.ceil(limit / 2);
      } else if (this.#isUsable(answer, limit)) {
        this.#backoff.relax();
        return answer;
      } else {
        // A live event among the stored ones does this once; it does not do it again.
        disordered += 1;
        if (disordered > 1) {
          throw new UpstreamFailure('misbehaved', 'relay sends more than its limit, in no order');
        }
      }
    }
  }

  /** Of a page that was cut at our limit nobody knows what it lacks, unless it is in order. */
  #isUsable(page: Page, limit: number): boolean {
    return page.received <= limit || isNewestFirst(page.events);
  }

  async #askOnce(filter: LimitedFilter, isExtra: boolean): Promise<Answer> {
    const { budget, clock, pageBytesMax = PAGE_BYTES_MAX } = this.#options;
    this.#checkTime();
    if (this.#requests >= budget.requestsMax) throw new BudgetSpent('no requests left');
    this.#requests += 1;
    const connection = this.#connection;
    const bytesBefore = connection.messageBytesReceived;
    const subscription = connection.subscribe([filter]);
    let cut: Cut | undefined;
    let events = 0;
    const stop = (why: Cut) => {
      cut ??= why;
      subscription.close();
    };
    const onAbort = () => stop('deadline');
    const cancelTimer = clock.after(this.#deadlineAtMs - clock.nowMs(), onAbort);
    this.#signal?.addEventListener('abort', onAbort, { once: true });
    const unwatch = connection.watchNotices((notice) => {
      if (saysSlowDown(notice)) stop('slower');
      // A question that we can do without is not worth waiting for the end of all patience.
      else if (isExtra && events === 0) stop('refused');
    });
    try {
      const page = await readPage(subscription, filter.limit, () => {
        events += 1;
        const bytes = connection.messageBytesReceived;
        if (bytes - this.#bytesBefore > budget.bytesMax) stop('bytes');
        else if (bytes - bytesBefore > pageBytesMax) stop('large');
      }).finally(() => this.#judge(subscription.dropped));
      if (page !== undefined) {
        this.#largest = Math.max(this.#largest, page.received);
        return page;
      }
      if (cut === 'large') return 'larger than memory';
      if (cut === 'slower' || cut === 'refused') return cut;
      throw new BudgetSpent(cut === 'bytes' ? 'no bytes left' : 'no time left');
    } finally {
      cancelTimer();
      unwatch();
      this.#signal?.removeEventListener('abort', onAbort);
    }
  }

  #checkTime(): void {
    const isOver = this.#options.clock.nowMs() >= this.#deadlineAtMs;
    if (isOver || this.#signal?.aborted === true) throw new BudgetSpent('no time left');
  }

  /** Counts what was dropped; too much of it is the upstream's end, whatever else it did. */
  #judge({ forged, unasked, malformed }: Dropped): void {
    this.#forged += forged;
    this.#unasked += unasked + malformed;
    if (this.#forged > FORGED_MAX) {
      const message = `relay sent ${this.#forged} events whose id or signature is wrong`;
      throw new UpstreamFailure('invalid', message);
    }
    if (this.#unasked > UNASKED_MAX) {
      const message = `relay sent ${this.#unasked} things that were not asked for`;
      throw new UpstreamFailure('misbehaved', message);
    }
  }

  async #authenticate(): Promise<void> {
    const { accepted, message } = await this.#within(() => this.#connection.authenticate());
    if (!accepted) throw new UpstreamFailure('refused', `the relay refused our key: ${message}`);
    this.#authenticated = true;
  }

  /** The work's outcome, or the end of our time. */
  async #within<T>(work: () => Promise<T>): Promise<T> {
    this.#checkTime();
    const { clock } = this.#options;
    let stop: (error: Error) => void = () => {};
    const ended = new Promise<never>((_, reject) => {
      stop = reject;
    });
    const onEnd = () => stop(new BudgetSpent('no time left'));
    const cancelTimer = clock.after(this.#deadlineAtMs - clock.nowMs(), onEnd);
    this.#signal?.addEventListener('abort', onEnd, { once: true });
    try {
      return await Promise.race([work(), ended]);
    } finally {
      cancelTimer();
      this.#signal?.removeEventListener('abort', onEnd);
    }
  }
}
