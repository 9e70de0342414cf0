import type { Log } from '../cloud/log.ts';
import type { Filter } from '../nostr/filter.ts';
import type { AnsweredBy } from './answers.ts';
import type { Asker } from './engine-types.ts';
import { queryShape } from './query-shape.ts';

/** From here on a REQ counts as slow: four times what the objective allows. */
export const SLOW_MS = 2_000;

/** One line in so long: whoever asks slowly asks often, and a database that hangs slows everybody. */
const LINE_EVERY_MS = 1_000;

/** What a query took that was slow, or that was given up. */
export interface TookLong {
  readonly tookMs: number;
  readonly answeredBy: AnsweredBy;
  readonly end: 'answered' | 'timeout';
}

/** Says in the log who asked what took long: its shape, never what it asks for. */
export class SlowQueries {
  readonly #log: Log;
  readonly #monotonicMs: () => number;
  #lastMs = Number.NEGATIVE_INFINITY;
  #left = 0;

  constructor(log: Log, monotonicMs: () => number) {
    this.#log = log;
    this.#monotonicMs = monotonicMs;
  }

  /** A REQ has its EOSE, or its time was over. */
  ended(filters: readonly Filter[], asker: Asker | undefined, took: TookLong): void {
    if (took.tookMs <= SLOW_MS && took.end === 'answered') return;
    const nowMs = this.#monotonicMs();
    if (nowMs - this.#lastMs < LINE_EVERY_MS) {
      this.#left += 1;
      return;
    }
    const [first] = filters;
    this.#log.warning('REQ took long', {
      ...asker,
      shape: first && queryShape(first),
      filters: filters.length,
      ...took,
      tookMs: Math.round(took.tookMs),
      linesLeftOut: this.#left,
    });
    this.#lastMs = nowMs;
    this.#left = 0;
  }
}
