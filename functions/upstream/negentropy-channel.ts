import type { Clock } from './clock.ts';
import { UpstreamFailure } from './failure.ts';

/** What the relay may say while a negentropy session is open. */
export type ChannelMessage =
  | { readonly type: 'NEG-MSG'; readonly hex: string }
  | { readonly type: 'NEG-ERR'; readonly reason: string }
  /** Relays that do not know the verb answer by one of these, or not at all. */
  | { readonly type: 'CLOSED'; readonly message: string }
  | { readonly type: 'NOTICE'; readonly message: string };

/** What a channel needs of its connection. */
export interface ChannelHost {
  /** Sends a message; @throws UpstreamFailure where the connection has ended. */
  send(text: string): void;
  release(id: string): void;
}

/** What may come before an answer and be kept until it is read; more is dropped. */
const KEPT_MAX = 32;

/**
 * One negentropy session on a connection (NIP-77): question and answer, one at a time. What comes
 * when nothing was asked is dropped: the relay has the word only after us.
 */
export class NegentropyChannel {
  readonly id: string;
  readonly #host: ChannelHost;
  readonly #clock: Clock;
  #waiting: { resolve(message: ChannelMessage): void; reject(error: unknown): void } | undefined;
  /** What came since the last question and was not read yet. */
  #kept: ChannelMessage[] = [];
  /** From a question to its answer. */
  #asked = false;
  #over = false;

  constructor(id: string, host: ChannelHost, clock: Clock) {
    this.id = id;
    this.#host = host;
    this.#clock = clock;
  }

  /**
   * Sends a message and waits for what the relay says next.
   * @throws UpstreamFailure: `timeout`, or why the connection ended. And the signal's reason.
   */
  async ask(
    text: string,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<ChannelMessage> {
    this.#kept = [];
    this.#asked = true;
    this.#host.send(text);
    return this.next(timeoutMs, signal);
  }

  /** Waits for one more message; see `ask`. */
  async next(timeoutMs: number, signal: AbortSignal | undefined): Promise<ChannelMessage> {
    signal?.throwIfAborted();
    const kept = this.#kept.shift();
    if (kept !== undefined) return kept;
    let cancel = () => {};
    let onAbort = () => {};
    try {
      return await new Promise<ChannelMessage>((resolve, reject) => {
        this.#waiting = { resolve, reject };
        cancel = this.#clock.after(timeoutMs, () =>
          reject(new UpstreamFailure('timeout', `no negentropy answer for ${timeoutMs / 1_000} s`)),
        );
        onAbort = () => reject(signal?.reason);
        signal?.addEventListener('abort', onAbort, { once: true });
      });
    } finally {
      this.#waiting = undefined;
      cancel();
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** The relay said something. */
  hear(message: ChannelMessage): void {
    if (!this.#asked || this.#kept.length >= KEPT_MAX) return;
    if (message.type !== 'NOTICE') this.#asked = false;
    if (this.#waiting === undefined) this.#kept.push(message);
    else this.#waiting.resolve(message);
    this.#waiting = undefined;
  }

  /** The connection ended. */
  fail(failure: UpstreamFailure): void {
    this.#over = true;
    this.#waiting?.reject(failure);
    this.#waiting = undefined;
  }

  /** Tells the relay that it may forget the session. */
  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#host.release(this.id);
  }
}
