import { byValue } from '../cloud/metrics/by-value.ts';
import type { Counter, Metrics, Recorder } from '../cloud/metrics/registry.ts';

/** The way on which an event came to be announced: taken here, by `stored`, by the changes log. */
export type Lane = 'own' | 'fast' | 'log';

/** Counts live delivery. */
export class DeliveryMeter {
  readonly #deliveries: Counter;
  readonly #delays: (lane: Lane) => Recorder;
  readonly #nowMs: () => number;

  /** @param nowMs Unix time in milliseconds: another instance may have accepted the event. */
  constructor(metrics: Metrics, nowMs: () => number) {
    this.#deliveries = metrics.counter('deliveries_total', {});
    this.#delays = byValue((lane) => metrics.distribution('delivery_delay', { lane }));
    this.#nowMs = nowMs;
  }

  /**
   * An event was handed to so many subscriptions.
   * @param acceptedAtMs undefined where nobody noted it: an event of an earlier version.
   */
  announced(subscriptions: number, lane: Lane, acceptedAtMs: number | undefined): void {
    this.#deliveries.add(subscriptions);
    if (acceptedAtMs !== undefined) this.#delays(lane).record(this.#nowMs() - acceptedAtMs);
  }
}
