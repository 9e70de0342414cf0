import type { Log, LogLevel } from './log.ts';
import { traceOfEvent } from './trace.ts';

/**
 * The steps of an event, as log lines call them. `distrise trace` puts them in order by their times.
 */
export type Step =
  /** The relay has read it from a socket, or refused it. */
  | 'received'
  /** Pub/Sub has it. */
  | 'published'
  /** The client has its OK. */
  | 'answered'
  /** The fetcher has put it into the queue. */
  | 'fetched'
  /** Store has an outcome for it. */
  | 'stored'
  /** A relay instance has handed it to its live subscribers. */
  | 'delivered';

export interface JourneyOptions {
  readonly log: Log;
  /** Share of the events that are followed, 0 to 1. */
  readonly share: number;
  /** Milliseconds of a clock that never steps back. */
  readonly monotonicMs: () => number;
}

/**
 * Lines of one severity in a second: enough for every failure on a good day. On a bad one, or where
 * somebody floods us with events of his choice, logs would cost more than the relay: a thousand
 * lines a second are 40 GB a day. Whoever follows more than the usual share gets more lines.
 */
const LINES_PER_SECOND = 20;
const LINES_PER_SECOND_OF_ALL = 20_000;

/** Ends of ids below this many values are followed: eight hex digits. */
const ENDS = 2 ** 32;

/**
 * Writes the journey of some events into the log, one line a step. Which ones depends on their ids
 * alone, so that all parts follow the same events.
 */
export class Journey {
  readonly #log: Log;
  readonly #below: string;
  readonly #monotonicMs: () => number;
  readonly #linesPerSecond: number;
  readonly #written: Record<LogLevel, number> = { debug: 0, info: 0, warning: 0, error: 0 };
  #left = 0;
  #second = Number.NEGATIVE_INFINITY;

  constructor(options: JourneyOptions) {
    this.#log = options.log;
    this.#monotonicMs = options.monotonicMs;
    this.#linesPerSecond = Math.max(LINES_PER_SECOND, options.share * LINES_PER_SECOND_OF_ALL);
    const below = Math.round(options.share * ENDS);
    // The end of an id, since proof of work (NIP-13) leaves nothing to chance at its beginning.
    this.#below = below >= ENDS ? 'g' : below.toString(16).padStart(8, '0');
  }

  /** True for the events whose every step is logged. */
  follows(eventId: string): boolean {
    return eventId.slice(-8) < this.#below;
  }

  /** A step of an event that is followed. Never content. */
  step(step: Step, eventId: string, fields: object): void {
    this.#write('info', step, eventId, fields);
  }

  /** A step that failed, whether the event is followed or not. */
  failure(step: Step, eventId: string, fields: object, level: LogLevel = 'warning'): void {
    this.#write(level, step, eventId, fields);
  }

  #write(level: LogLevel, step: Step, event: string, fields: object): void {
    const second = Math.floor(this.#monotonicMs() / 1_000);
    if (second !== this.#second) this.#turn(second);
    if (this.#written[level] >= this.#linesPerSecond) {
      this.#left += 1;
      return;
    }
    this.#written[level] += 1;
    this.#log[level](`event ${step}`, { trace: traceOfEvent(event), event, step, ...fields });
  }

  #turn(second: number): void {
    this.#second = second;
    for (const level of Object.keys(this.#written) as LogLevel[]) this.#written[level] = 0;
    if (this.#left === 0) return;
    this.#log.warning('more happened to events than is logged', { linesLeftOut: this.#left });
    this.#left = 0;
  }
}
