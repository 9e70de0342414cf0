import { byValue } from '../cloud/metrics/by-value.ts';
import type { Counter, Metrics, Recorder } from '../cloud/metrics/registry.ts';
import type { Filter } from '../nostr/filter.ts';
import type { AnsweredBy } from './answers.ts';
import { type QueryShape, queryShape } from './query-shape.ts';

/** Why a REQ ended by CLOSED before its EOSE, where the reason is ours. */
export type QueryFailure = 'timeout' | 'too-large' | 'database' | 'slow' | 'refused';

/** Counts the stored answers to REQs. */
export class QueryMeter {
  readonly #durations: (answered_by: AnsweredBy) => (shape: QueryShape) => Recorder;
  readonly #rows: (answered_by: AnsweredBy) => Recorder;
  readonly #failures: (reason: QueryFailure) => Counter;

  constructor(metrics: Metrics) {
    this.#durations = byValue((answered_by) =>
      byValue((shape) => metrics.distribution('query_duration', { shape, answered_by })),
    );
    this.#rows = byValue((answered_by) => metrics.distribution('query_rows', { answered_by }));
    this.#failures = byValue((reason) => metrics.counter('query_failures_total', { reason }));
    for (const reason of ['timeout', 'database'] as const) this.#failures(reason);
  }

  /** A REQ has its EOSE. */
  answered(filters: readonly Filter[], by: AnsweredBy, rows: number, tookMs: number): void {
    this.#rows(by).record(rows);
    const [first] = filters;
    if (first !== undefined) this.#durations(by)(queryShape(first)).record(tookMs);
  }

  failed(reason: QueryFailure): void {
    this.#failures(reason).add();
  }
}
