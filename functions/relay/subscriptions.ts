import type { Journey } from '../cloud/journey.ts';
import type { Log } from '../cloud/log.ts';
import type { Filter } from '../nostr/filter.ts';
import { AnswerTooLarge } from './answer-bytes.ts';
import type { Answers } from './answers.ts';
import type { DeliveryMeter, Lane } from './delivery-meter.ts';
import type { Subscriber, SubscriptionHandle } from './engine-types.ts';
import type { Entry } from './entry.ts';
import { LiveIndex } from './live-index.ts';
import type { QueryFailure, QueryMeter } from './query-meter.ts';
import type { SlowQueries } from './slow-queries.ts';
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
  readonly queries: QueryMeter;
  readonly slow: SlowQueries;
  readonly deliveries: DeliveryMeter;
  /** Milliseconds of a clock that never steps back. */
  readonly monotonicMs: () => number;
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
    const askedAtMs = this.#parts.monotonicMs();
    queueMicrotask(() => void this.#answer(subscription, abort, askedAtMs));
    return {
      close: () => {
        subscription.close();
        this.#live.remove(subscription);
        abort.abort(new Error('the subscription was closed'));
      },
    };
  }

  /** Delivers an event that is new to this instance. */
  announce(entry: Entry, lane: Lane, acceptedAtMs: number | undefined): void {
    let handed = 0;
    this.#live.match(entry, (subscription) => {
      handed += 1;
      subscription.deliver(entry);
      if (subscription.overflowing) {
        const held = `error: more than ${HELD_BACK_MAX} live events came while the query ran`;
        this.#failQuery(subscription, 'slow', held);
      }
    });
    const { deliveries, journey } = this.#parts;
    deliveries.announced(handed, lane, acceptedAtMs);
    if (journey.follows(entry.id)) {
      journey.step('delivered', entry.id, { deliveries: handed, lane });
    }
  }

  /** Ends all, with this word to their clients. */
  endAll(message: string): void {
    for (const subscription of this.#live.all()) this.#fail(subscription, message);
  }

  async #answer(
    subscription: Subscription,
    abort: AbortController,
    askedAtMs: number,
  ): Promise<void> {
    if (!subscription.open) return;
    if (this.#queries >= QUERIES_MAX) {
      const waiting = 'error: too many queries are waiting, please try again';
      this.#failQuery(subscription, 'refused', waiting);
      return;
    }
    const { answers, queryDeadlineMs, queries, slow, monotonicMs, log } = this.#parts;
    const { filters, asker } = subscription;
    // The client hears at once; a database that hangs may take longer to let go of the query.
    const deadline = setTimeout(() => {
      const took = `error: the query took longer than ${queryDeadlineMs} ms`;
      if (subscription.open) {
        // Memory answers at once: what is waited for is the database.
        const tookMs = monotonicMs() - askedAtMs;
        slow.ended(filters, asker, { tookMs, answeredBy: 'database', end: 'timeout' });
      }
      this.#failQuery(subscription, 'timeout', took);
      abort.abort(new Error('the query took too long'));
    }, queryDeadlineMs);
    this.#queries += 1;
    try {
      const { events, answeredBy } = await answers.find(filters, abort.signal);
      if (!subscription.open) return;
      if (subscription.complete(events)) {
        const tookMs = monotonicMs() - askedAtMs;
        queries.answered(filters, answeredBy, events.length, tookMs);
        slow.ended(filters, asker, { tookMs, answeredBy, end: 'answered' });
        this.#rememberSent(subscription);
      } else queries.failed('slow');
    } catch (error) {
      // The queries of its other filters need not go on.
      abort.abort(error);
      if (!subscription.open) return;
      if (error instanceof AnswerTooLarge) {
        this.#failQuery(subscription, 'too-large', error.message);
        return;
      }
      log.warning('query failed', { error });
      const away = 'error: could not reach the database, please try again';
      this.#failQuery(subscription, 'database', away);
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

  /** Before its EOSE. */
  #failQuery(subscription: Subscription, why: QueryFailure, message: string): void {
    if (subscription.open) this.#parts.queries.failed(why);
    this.#fail(subscription, message);
  }

  #fail(subscription: Subscription, message: string): void {
    this.#live.remove(subscription);
    subscription.fail(message);
  }
}
