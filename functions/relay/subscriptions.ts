import type { Journey } from '../cloud/journey.ts';
import type { Log } from '../cloud/log.ts';
import type { Filter } from '../nostr/filter.ts';
import { AnswerTooLarge } from './answer-bytes.ts';
import type { Answers } from './answers.ts';
import type { Subscriber, SubscriptionHandle } from './engine-types.ts';
import type { Entry } from './entry.ts';
import { LiveIndex } from './live-index.ts';
import { HELD_BACK_MAX, Subscription } from './subscription.ts';

export interface SubscriptionsParts {
  readonly answers: Answers;
  /** True when this instance has handed the event to live subscribers already. */
  readonly wasAnnounced: (id: string) => boolean;
  /** True when the event may yet come by live although the log has passed it. */
  readonly isPending: (id: string) => boolean;
  /** Calls back once everything that is committed by now has come by. */
  readonly whenPassed: (work: () => void) => void;
  readonly queryDeadlineMs: number;
  readonly journey: Journey;
  readonly log: Log;
}

/** Queries that may wait or run at once on one instance; more are refused. */
const QUERIES_MAX = 5_000;

/** All open subscriptions of the instance: their queries, and who gets a live event. */
export class Subscriptions {
  readonly #parts: SubscriptionsParts;
  readonly #live = new LiveIndex<Subscription>();
  #queries = 0;

  constructor(parts: SubscriptionsParts) {
    this.#parts = parts;
  }

  /** How many are open. */
  get size(): number {
    return this.#live.size;
  }

  /** Opens one: it follows live from now on, and the stored answer is on its way. */
  open(filters: readonly Filter[], subscriber: Subscriber): SubscriptionHandle {
    const subscription = new Subscription(filters, subscriber);
    const abort = new AbortController();
    this.#live.add(subscription, filters);
    // A microtask later, so that nothing is delivered before the caller has its handle.
    queueMicrotask(() => void this.#answer(subscription, abort));
    return {
      close: () => {
        subscription.close();
        this.#live.remove(subscription);
        abort.abort(new Error('the subscription was closed'));
      },
    };
  }

  /** Delivers an event that is new to this instance. */
  announce(entry: Entry): void {
    let deliveries = 0;
    this.#live.match(entry, (subscription) => {
      deliveries += 1;
      subscription.deliver(entry);
      if (subscription.overflowing) {
        this.#fail(
          subscription,
          `error: more than ${HELD_BACK_MAX} live events came while the query ran`,
        );
      }
    });
    const { journey } = this.#parts;
    if (journey.follows(entry.id)) journey.step('delivered', entry.id, { deliveries });
  }

  /** Ends all, with this word to their clients. */
  endAll(message: string): void {
    for (const subscription of this.#live.all()) this.#fail(subscription, message);
  }

  async #answer(subscription: Subscription, abort: AbortController): Promise<void> {
    if (!subscription.open) return;
    if (this.#queries >= QUERIES_MAX) {
      this.#fail(subscription, 'error: too many queries are waiting, please try again');
      return;
    }
    const { answers, queryDeadlineMs, log } = this.#parts;
    // The client hears at once; a database that hangs may take longer to let go of the query.
    const deadline = setTimeout(() => {
      this.#fail(subscription, `error: the query took longer than ${queryDeadlineMs} ms`);
      abort.abort(new Error('the query took too long'));
    }, queryDeadlineMs);
    this.#queries += 1;
    try {
      subscription.complete(await answers.find(subscription.filters, abort.signal));
      this.#rememberSent(subscription);
    } catch (error) {
      // The queries of its other filters need not go on.
      abort.abort(error);
      if (!subscription.open) return;
      if (error instanceof AnswerTooLarge) {
        this.#fail(subscription, error.message);
        return;
      }
      log.warning('query failed', { error });
      this.#fail(subscription, 'error: could not reach the database, please try again');
    } finally {
      this.#queries -= 1;
      clearTimeout(deadline);
    }
  }

  /** Until the log has passed what the answer held, the same events may still come by live. */
  #rememberSent(subscription: Subscription): void {
    const { wasAnnounced, isPending, whenPassed } = this.#parts;
    if (subscription.forgetSent((id) => !wasAnnounced(id))) return;
    const forget = () => {
      if (subscription.open && !subscription.forgetSent(isPending)) whenPassed(forget);
    };
    whenPassed(forget);
  }

  #fail(subscription: Subscription, message: string): void {
    this.#live.remove(subscription);
    subscription.fail(message);
  }
}
