import { byValue } from '../cloud/metrics/by-value.ts';
import type { Counter, Metrics, Recorder } from '../cloud/metrics/registry.ts';
import { type KindClass, kindClass } from '../nostr/kinds.ts';
import { OUTCOMES, type StoreOutcome } from './outcomes.ts';

/** What one push call came to. */
export interface Settled {
  readonly outcome: StoreOutcome;
  /** Undefined where no event could be read. */
  readonly kind?: number | undefined;
  /** Something lies in the dead-letter topic now. */
  readonly buried: boolean;
}

/** Counts what store does. */
export class StoreMeter {
  readonly #results: (outcome: StoreOutcome) => Counter;
  readonly #events: (of: KindClass | 'unknown') => (outcome: StoreOutcome) => Counter;
  readonly #duration: Recorder;
  readonly #messageEvents: Recorder;
  readonly #redeliveries: Counter;
  readonly #buried: Counter;
  readonly #clientDelay: Recorder;
  readonly #upstreamDelay: Recorder;

  constructor(metrics: Metrics) {
    this.#results = byValue((outcome) => {
      const { metric } = OUTCOMES[outcome];
      return metric.name === 'success_total'
        ? metrics.counter('success_total', {})
        : metrics.counter('fail_total', { reason: metric.reason });
    });
    this.#events = byValue((kind_class) =>
      byValue((outcome) => metrics.counter('events_total', { kind_class, outcome })),
    );
    this.#duration = metrics.distribution('process_duration', {});
    this.#messageEvents = metrics.distribution('message_events', {});
    this.#redeliveries = metrics.counter('redeliveries_total', {});
    this.#buried = metrics.counter('dead_letters_total', { action: 'buried' });
    this.#clientDelay = metrics.distribution('store_delay', { origin: 'client' });
    this.#upstreamDelay = metrics.distribution('store_delay', { origin: 'upstream' });
    // Known to be zero before the first of them: what a ratio or an alert is made of.
    for (const outcome of ['stored', 'poison', 'unavailable', 'unpublished'] as const) {
      this.#results(outcome);
    }
    this.#events('regular')('stored');
  }

  /** An event was committed, so long after a relay or the fetcher took it. */
  stored(source: string, delayMs: number): void {
    (source === 'client' ? this.#clientDelay : this.#upstreamDelay).record(delayMs);
  }

  /** @param attempt which delivery of the message it was, where that is known. */
  handled(settled: readonly Settled[], attempt: number | undefined, tookMs: number): void {
    this.#duration.record(tookMs);
    this.#messageEvents.record(settled.length);
    if (attempt !== undefined && attempt > 1) this.#redeliveries.add();
    for (const { outcome, kind, buried } of settled) {
      this.#results(outcome).add();
      this.#events(kind === undefined ? 'unknown' : kindClass(kind))(outcome).add();
      if (buried) this.#buried.add();
    }
  }
}
