import { type NostrEvent, parseEvent } from '../nostr/event.ts';
import type { Filter } from '../nostr/filter.ts';
import { compileFilter } from '../nostr/matcher.ts';
import { accept, type Result, refuse } from '../nostr/result.ts';
import type { Verifier } from '../nostr/verify.ts';
import type { UpstreamFailure } from './failure.ts';
import type { EoseHint } from './messages.ts';

/** What a subscription brings, in the order in which the relay said it. */
export type Item =
  | { readonly type: 'event'; readonly event: NostrEvent }
  /** The relay says that it has sent what it had stored; live events follow. Comes at most once. */
  | { readonly type: 'eose'; readonly hint?: EoseHint }
  /** The relay ended the subscription; nothing follows. */
  | { readonly type: 'closed'; readonly message: string };

/**
 * One subscription's items, for one reader. Iterating ends after `closed` or our own close, and
 * throws an `UpstreamFailure` when the connection or the subscription fails. Leaving the loop
 * closes the subscription.
 */
export interface Subscription extends AsyncIterable<Item> {
  readonly id: string;
  /** What of this subscription was dropped so far. */
  readonly dropped: Dropped;
  close(): void;
}

/** Things that a relay sent for a subscription and that its reader never sees. */
export interface Dropped {
  /** Not of an event's form, or larger than we take. */
  readonly malformed: number;
  /** Did not match what was asked for. */
  readonly unasked: number;
  /** Beyond the limit that was asked for. */
  readonly excess: number;
  /** Matched, and id or signature is wrong. */
  readonly forged: number;
  /** The least `created_at` that a forged one claims: they hold their place in an answer. */
  readonly forgedOldest: number;
}

/** What a subscription needs of its connection. */
export interface Host {
  /** Items and bytes that came into (or, negative, left) the buffer. */
  buffered(items: number, bytes: number): void;
  /** The reader is done: tell the relay. */
  release(id: string): void;
}

interface Waiting {
  readonly item: Item;
  readonly bytes: number;
}

interface Reader {
  resolve(result: IteratorResult<Item>): void;
  reject(failure: UpstreamFailure): void;
}

/** The buffer between a connection and the reader of one subscription. */
export class SubscriptionBuffer implements Subscription {
  readonly id: string;
  readonly #host: Host;
  readonly #verifier: Verifier | undefined;
  readonly #matches: readonly ((event: NostrEvent) => boolean)[];
  readonly #eventBytesMax: number;
  readonly #storedMax: number;
  readonly #dropped = { malformed: 0, unasked: 0, excess: 0, forged: 0, forgedOldest: Infinity };
  #stored = 0;
  #queue: Waiting[] = [];
  #reader: Reader | undefined;
  #eose = false;
  #over = false;
  #failure: UpstreamFailure | undefined;

  constructor(
    id: string,
    filters: readonly Filter[],
    host: Host,
    verifier: Verifier | undefined,
    eventBytesMax: number,
  ) {
    this.id = id;
    this.#eventBytesMax = eventBytesMax;
    this.#host = host;
    this.#verifier = verifier;
    this.#matches = filters.map(compileFilter);
    this.#storedMax = filters.reduce(
      (sum, filter) => sum + (filter.limit ?? Number.POSITIVE_INFINITY),
      0,
    );
  }

  /** True until the relay has sent EOSE or the subscription is over. */
  get awaitsEose(): boolean {
    return !this.#eose && !this.#over;
  }

  get dropped(): Dropped {
    return this.#dropped;
  }

  /** Takes what the relay calls an event of this subscription, if it is one that was asked for. */
  take(value: unknown, bytes: number): Result<void> {
    const parsed =
      bytes > this.#eventBytesMax ? refuse(`event of ${bytes} bytes`) : parseEvent(value);
    if (!parsed.ok) {
      this.#dropped.malformed += 1;
      return parsed;
    }
    const event = parsed.value;
    if (!this.#matches.some((matches) => matches(event))) {
      this.#dropped.unasked += 1;
      return refuse('event does not match the filter');
    }
    if (!this.#eose) {
      this.#stored += 1;
      if (this.#stored > this.#storedMax) {
        this.#dropped.excess += 1;
        return refuse('more events than the limit allows');
      }
    }
    // Last, because it costs most.
    if (this.#verifier !== undefined && !this.#verifier.verify(event)) {
      this.#dropped.forged += 1;
      this.#dropped.forgedOldest = Math.min(this.#dropped.forgedOldest, event.created_at);
      return refuse('id or signature is wrong');
    }
    this.#push({ type: 'event', event }, bytes);
    return accept(undefined);
  }

  eose(hint?: EoseHint): void {
    if (this.#eose) return;
    this.#eose = true;
    this.#push({ type: 'eose', ...(hint && { hint }) }, 0);
  }

  /** The relay ended the subscription. */
  closedByRelay(message: string): void {
    this.#push({ type: 'closed', message }, 0);
    this.#over = true;
  }

  /** Ends the iteration with a failure, after what is buffered. */
  fail(failure: UpstreamFailure): void {
    if (this.#over) return;
    this.#over = true;
    this.#failure = failure;
    this.#reader?.reject(failure);
    this.#reader = undefined;
  }

  close(): void {
    for (const { bytes } of this.#queue) this.#host.buffered(-1, -bytes);
    this.#queue = [];
    this.#failure = undefined;
    if (!this.#over) {
      this.#over = true;
      this.#host.release(this.id);
    }
    this.#reader?.resolve({ done: true, value: undefined });
    this.#reader = undefined;
  }

  [Symbol.asyncIterator](): AsyncIterator<Item> {
    return {
      next: () => this.#next(),
      return: () => {
        this.close();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  #push(item: Item, bytes: number): void {
    if (this.#over) return;
    if (this.#reader !== undefined) {
      this.#reader.resolve({ done: false, value: item });
      this.#reader = undefined;
      return;
    }
    this.#queue.push({ item, bytes });
    this.#host.buffered(1, bytes);
  }

  #next(): Promise<IteratorResult<Item>> {
    const first = this.#queue.shift();
    if (first !== undefined) {
      this.#host.buffered(-1, -first.bytes);
      return Promise.resolve({ done: false, value: first.item });
    }
    if (this.#failure !== undefined) {
      // Thrown once; who asks again is told that nothing follows.
      const failure = this.#failure;
      this.#failure = undefined;
      return Promise.reject(failure);
    }
    if (this.#over) return Promise.resolve({ done: true, value: undefined });
    if (this.#reader !== undefined) throw new Error('a subscription has one reader');
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }
}
