import type { NostrEvent } from '../nostr/event.ts';
import type { Connection } from '../upstream/connection.ts';
import { UpstreamFailure } from '../upstream/failure.ts';
import type { PublishResult } from '../upstream/publish-ledger.ts';
import { SENT_TRIES_MAX } from './limits.ts';
import type { Tally } from './tally.ts';

interface Bounds {
  /** Events that are offered at most. */
  readonly eventsMax: number;
  readonly signal: AbortSignal;
  /** Visits in a row that were stopped by the same event, before this one. */
  readonly stalled: number;
}

type Answer = PublishResult | UpstreamFailure;

const isFailure = (answer: Answer): answer is UpstreamFailure => answer instanceof UpstreamFailure;
const begins = (answer: Answer, words: RegExp): boolean =>
  !isFailure(answer) && !answer.accepted && words.test(answer.message);

const asksWho = (answer: Answer): boolean => begins(answer, /^auth-required:/);
/** May be about this one event, or about the relay as a whole. */
const isTrouble = (answer: Answer): boolean => isFailure(answer) || begins(answer, /^error:/);
/** After such an answer it is no use to go on now. */
const stops = (answer: Answer): boolean =>
  isTrouble(answer) || begins(answer, /^(rate-limited|auth-required):/);

/**
 * Offers events to a source until an answer or a bound ends it. Where trouble with the same event
 * has stopped many visits in a row, what the source has trouble with is let pass: as much as it
 * answers others after, since then it means these; of the rest one, and one more at each visit that
 * gets no further for all that. It would block all that comes after it.
 */
export class Offering {
  readonly #connection: Connection;
  readonly #tally: Tally;
  readonly #bounds: Bounds;
  #left: number;
  #stopped: 'trouble' | 'told to wait' | undefined;
  #failure: UpstreamFailure | undefined;
  #moved = false;
  /** What may pass although nothing after it was answered. */
  #unproved: number;
  /** True where it passed something that it answered others after. */
  #proved = false;

  constructor(connection: Connection, tally: Tally, bounds: Bounds) {
    this.#connection = connection;
    this.#tally = tally;
    this.#bounds = bounds;
    this.#left = bounds.eventsMax;
    this.#unproved = Math.max(0, bounds.stalled - SENT_TRIES_MAX + 1);
  }

  /** True where no more is to be offered on this visit. */
  get ended(): boolean {
    return this.#stopped !== undefined || this.#left <= 0 || this.#bounds.signal.aborted;
  }

  /** Visits in a row that were stopped by the same event, with this one. */
  get stalled(): number {
    const { stalled, signal } = this.#bounds;
    if (!this.ended) return 0;
    if (this.#stopped !== 'trouble' || signal.aborted) return stalled;
    if (!this.#moved) return stalled + 1;
    // There are more of its kind, and each would take as many visits.
    return this.#proved ? SENT_TRIES_MAX : 0;
  }

  /** Begins another way through the events, which may be stopped by another one. */
  turn(): void {
    this.#moved = false;
  }

  /** Says that it was noted how far this way has come. */
  moved(): void {
    this.#moved = true;
  }

  /** @throws why the source did not answer, for when all is noted that it did answer. */
  throwFailure(): void {
    if (this.#failure !== undefined && !this.#bounds.signal.aborted) throw this.#failure;
  }

  /** @returns how many of these events, from the first one on, are done with. */
  async offer(events: readonly NostrEvent[]): Promise<number> {
    const offered = events.slice(0, this.#left);
    this.#left -= offered.length;
    const answers = await this.#publishAll(offered);
    const stop = answers.findIndex((answer, n) => stops(answer) && !this.#mayPass(answers, n));
    const done = stop === -1 ? answers.length : stop;
    this.#stopAt(answers[done]);
    const taken = answers.slice(0, done).filter((answer) => !isFailure(answer) && answer.accepted);
    this.#tally.sent += taken.length;
    return done;
  }

  #mayPass(answers: readonly Answer[], n: number): boolean {
    const answer = answers[n];
    const isTired = this.#bounds.stalled >= SENT_TRIES_MAX;
    if (answer === undefined || !isTired || !isTrouble(answer)) return false;
    const isProved = answers.some((other, at) => at > n && !stops(other));
    if (!isProved && this.#unproved === 0) return false;
    if (isProved) this.#proved = true;
    else this.#unproved -= 1;
    // Its failure is told all the same.
    if (isFailure(answer)) this.#failure = answer;
    return true;
  }

  #stopAt(answer: Answer | undefined): void {
    if (answer === undefined) return;
    this.#stopped = isTrouble(answer) ? 'trouble' : 'told to wait';
    if (isFailure(answer)) this.#failure = answer;
  }

  async #publishAll(events: readonly NostrEvent[]): Promise<Answer[]> {
    const answers = await Promise.all(events.map((event) => this.#publish(event)));
    if (!answers.some(asksWho) || !(await this.#authenticated())) return answers;
    // With an answer to who we are (NIP-42) the same may be offered again.
    return Promise.all(
      answers.map((answer, n) => (asksWho(answer) ? this.#publish(events[n]!) : answer)),
    );
  }

  async #publish(event: NostrEvent): Promise<Answer> {
    this.#tally.requests += 1;
    try {
      return await this.#connection.publish(event);
    } catch (error) {
      if (error instanceof UpstreamFailure) return error;
      throw error;
    }
  }

  async #authenticated(): Promise<boolean> {
    try {
      return (await this.#connection.authenticate()).accepted;
    } catch (error) {
      if (!(error instanceof UpstreamFailure)) throw error;
      this.#failure = error;
      return false;
    }
  }
}
