import { byValue } from '../cloud/metrics/by-value.ts';
import type { Counter, Metrics, Recorder } from '../cloud/metrics/registry.ts';
import { type KindClass, kindClass } from '../nostr/kinds.ts';
import { EVENT_OUTCOMES, type EventOutcome } from './event-outcomes.ts';

type FailOutcome = Exclude<EventOutcome, 'accepted' | 'duplicate' | 'superseded'>;

/** Counts what became of EVENTs, and how long their OK took. */
export class EventMeter {
  readonly #events: (of: KindClass | 'unknown') => (outcome: EventOutcome) => Counter;
  readonly #success: Counter;
  readonly #failed: (reason: FailOutcome) => Counter;
  readonly #duration: Recorder;

  constructor(metrics: Metrics) {
    this.#events = byValue((kind_class) =>
      byValue((outcome) => metrics.counter('events_total', { kind_class, outcome })),
    );
    this.#success = metrics.counter('success_total', {});
    this.#failed = byValue((reason) => metrics.counter('fail_total', { reason }));
    this.#duration = metrics.distribution('process_duration', {});
    // Known to be zero before the first of them: what a ratio or an alert is made of.
    this.#events('regular')('accepted');
    for (const reason of ['error', 'unavailable', 'unpublished'] as const) this.#failed(reason);
  }

  /** An EVENT of this kind got its OK, so long after it came. */
  answered(kind: number, outcome: EventOutcome, tookMs: number): void {
    this.#count(kindClass(kind), outcome, tookMs);
  }

  /** One was refused before anybody knew that it is an event. @param given what was said to be one. */
  refused(given: unknown, outcome: EventOutcome, tookMs: number): void {
    const kind = typeof given === 'object' && given !== null && 'kind' in given ? given.kind : '';
    const of = typeof kind === 'number' ? kindClass(kind) : 'unknown';
    this.#count(of, outcome, tookMs);
  }

  #count(of: KindClass | 'unknown', outcome: EventOutcome, tookMs: number): void {
    this.#events(of)(outcome).add();
    this.#duration.record(tookMs);
    if (EVENT_OUTCOMES[outcome].ok) this.#success.add();
    else this.#failed(outcome as FailOutcome).add();
  }
}
