import type { Filter } from '../nostr/filter.ts';
import type { Asker, Subscriber } from './engine-types.ts';
import type { Entry } from './entry.ts';

/** Live events held back while the stored answer is on its way; more ends the subscription. */
export const HELD_BACK_MAX = 10_000;

/** What a stored answer consists of, for delivery. */
export type Answer = readonly Pick<Entry, 'id' | 'text'>[];

/**
 * One subscription's order of delivery: stored events, EOSE, then live ones, each event once.
 * While the query runs live events wait. What the answer held is remembered until this instance
 * has surely seen the same events come by live.
 */
export class Subscription {
  readonly filters: readonly Filter[];
  readonly asker: Asker | undefined;
  readonly #subscriber: Subscriber;
  #heldBack: Entry[] | undefined = [];
  #sent: Set<string> | undefined;
  #open = true;

  constructor(filters: readonly Filter[], subscriber: Subscriber) {
    this.filters = filters;
    this.asker = subscriber.asker;
    this.#subscriber = subscriber;
  }

  get open(): boolean {
    return this.#open;
  }

  /**
   * Delivers the stored answer, EOSE, and what came by meanwhile.
   * @returns false where the subscriber ended it before its EOSE, since it could take no more.
   */
  complete(answer: Answer): boolean {
    if (!this.#open) return false;
    this.#sent = new Set();
    for (const { id, text } of answer) {
      this.#sent.add(id);
      this.#subscriber.event(text);
      if (!this.#open) return false;
    }
    this.#subscriber.eose();
    const heldBack = this.#heldBack ?? [];
    this.#heldBack = undefined;
    for (const entry of heldBack) this.deliver(entry);
    return true;
  }

  /** A live event that matches; an event that the answer held is not sent again. */
  deliver(entry: Entry): void {
    if (!this.#open) return;
    if (this.#heldBack !== undefined) {
      this.#heldBack.push(entry);
      return;
    }
    if (this.#sent?.has(entry.id)) return;
    this.#subscriber.event(entry.text);
  }

  /** True when more live events wait for the stored answer than is reasonable. */
  get overflowing(): boolean {
    return (this.#heldBack?.length ?? 0) > HELD_BACK_MAX;
  }

  /** Forgets what the answer held, except what `keep` says may still come by live. */
  forgetSent(keep: (id: string) => boolean): boolean {
    const kept = [...(this.#sent ?? [])].filter(keep);
    this.#sent = kept.length > 0 ? new Set(kept) : undefined;
    return this.#sent === undefined;
  }

  /** Ends it with a word to the client. */
  fail(message: string): void {
    if (!this.#open) return;
    this.close();
    this.#subscriber.closed(message);
  }

  /** Ends it silently. */
  close(): void {
    this.#open = false;
    this.#heldBack = undefined;
    this.#sent = undefined;
  }
}
