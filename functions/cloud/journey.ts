import type { Log } from './log.ts';
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
/** Of events that were refused: anybody can have as many of them as he likes. */
const REFUSALS_PER_SECOND = 5;
/** How often it is said that more happened than is logged. */
const LEFT_SAID_SECONDS = 60;

const WHAT = ['step', 'refusal', 'warning', 'error'] as const;
type What = (typeof WHAT)[number];

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
  readonly #refusalsPerSecond: number;
  /** Each has lines of its own, so that none can crowd out another. */
  readonly #written = { step: 0, refusal: 0, warning: 0, error: 0 };
  #left = 0;
  #leftSaidSecond = Number.NEGATIVE_INFINITY;
  #second = Number.NEGATIVE_INFINITY;

  constructor(options: JourneyOptions) {
    this.#log = options.log;
    this.#monotonicMs = options.monotonicMs;
    this.#linesPerSecond = Math.max(LINES_PER_SECOND, options.share * LINES_PER_SECOND_OF_ALL);
    this.#refusalsPerSecond = (REFUSALS_PER_SECOND * this.#linesPerSecond) / LINES_PER_SECOND;
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
    this.#write('step', step, eventId, fields);
  }

  /** The event was refused, by a rule or for what it is, whether it is followed or not. */
  refusal(step: Step, eventId: string, fields: object): void {
    this.#write('refusal', step, eventId, fields);
  }

  /** A step that failed, whether the event is followed or not. */
  failure(
    step: Step,
    eventId: string,
    fields: object,
    level: 'warning' | 'error' = 'warning',
  ): void {
    this.#write(level, step, eventId, fields);
  }

  #write(what: What, step: Step, event: string, fields: object): void {
    const second = Math.floor(this.#monotonicMs() / 1_000);
    if (second !== this.#second) this.#turn(second);
    const most = what === 'refusal' ? this.#refusalsPerSecond : this.#linesPerSecond;
    if (this.#written[what] >= most) {
      this.#left += 1;
      return;
    }
    this.#written[what] += 1;
    const level = what === 'step' || what === 'refusal' ? 'info' : what;
    this.#log[level](`event ${step}`, { trace: traceOfEvent(event), event, step, ...fields });
  }

  #turn(second: number): void {
    this.#second = second;
    for (const what of WHAT) this.#written[what] = 0;
    if (this.#left === 0 || second < this.#leftSaidSecond + LEFT_SAID_SECONDS) return;
    this.#leftSaidSecond = second;
    this.#log.warning('more happened to events than is logged', { linesLeftOut: this.#left });
    this.#left = 0;
  }
}
