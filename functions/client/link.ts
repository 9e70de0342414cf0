import { setTimeout as pause } from 'node:timers/promises';
import { type Connection, type ConnectOptions, connect } from '../upstream/connection.ts';
import { reasonOf, UpstreamFailure } from '../upstream/failure.ts';
import { CommandFailure, EXIT } from './exit.ts';

export interface LinkOptions {
  readonly connect?: Omit<ConnectOptions, 'signal'>;
  /** How long a relay may bring us no further before it is given up. */
  readonly patienceMs: number;
  /** The same before the first connection: a wrong address is best told at once. */
  readonly firstPatienceMs: number;
  /** Told once for each row of failures. */
  readonly onTrouble: (message: string) => void;
  readonly signal: AbortSignal;
}

/** The first pause between two attempts; each further one is twice as long. */
const PAUSE_MIN_MS = 200;
const PAUSE_MAX_MS = 10_000;

/**
 * A connection that comes back: whoever needs it asks for the one that stands. Between attempts
 * it waits, longer each time until somebody reports `progress`, because a relay that takes
 * connections and drops them is no better than one that refuses them.
 */
export class Link {
  readonly address: string;
  readonly #options: LinkOptions;
  #current: Connection | undefined;
  #opening: Promise<Connection> | undefined;
  #failuresInRow = 0;
  #everConnected = false;
  /** Since when the relay has not brought us further. */
  #stuckSinceMs = performance.now();

  constructor(address: string, options: LinkOptions) {
    this.address = address;
    this.#options = options;
  }

  /**
   * The connection that stands, or the next one. Throws a `CommandFailure` when patience is at
   * its end, and the signal's reason when it is aborted.
   */
  connection(): Promise<Connection> {
    if (this.#current !== undefined && this.#current.failure === undefined) {
      return Promise.resolve(this.#current);
    }
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  /** The relay has brought us further. */
  progress(): void {
    this.#failuresInRow = 0;
  }

  async close(): Promise<void> {
    await this.#current?.close();
  }

  async #open(): Promise<Connection> {
    const { signal } = this.#options;
    if (this.#current?.failure !== undefined) this.#onFailure(this.#current.failure);
    this.#current = undefined;
    for (;;) {
      await this.#wait();
      try {
        const connection = await connect(this.address, { ...this.#options.connect, signal });
        // Ending the command ends the connection, and with it everybody who waits on it.
        const onAbort = () => void connection.close();
        signal.addEventListener('abort', onAbort, { once: true });
        void connection.closed.then(() => signal.removeEventListener('abort', onAbort));
        if (!this.#everConnected) this.progress();
        this.#everConnected = true;
        this.#current = connection;
        return connection;
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof UpstreamFailure)) throw error;
        this.#onFailure(error);
      }
    }
  }

  async #wait(): Promise<void> {
    const { signal } = this.#options;
    signal.throwIfAborted();
    if (this.#failuresInRow === 0) return;
    const longest = Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** (this.#failuresInRow - 1));
    // Half of it by chance, so that many clients do not come back in one moment.
    const delayMs = longest * (0.5 + Math.random() / 2);
    await pause(delayMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }

  #onFailure(failure: UpstreamFailure): void {
    this.#options.signal.throwIfAborted();
    const nowMs = performance.now();
    // A connection that stood idle for long was no trouble as long as it stood.
    if (this.#failuresInRow === 0) this.#stuckSinceMs = nowMs;
    this.#failuresInRow += 1;
    const { patienceMs, firstPatienceMs, onTrouble } = this.#options;
    const patience = this.#everConnected ? patienceMs : firstPatienceMs;
    if (nowMs - this.#stuckSinceMs >= patience) {
      throw new CommandFailure(EXIT.unreachable, reasonOf(failure), failure);
    }
    if (this.#failuresInRow === 1) onTrouble(`${reasonOf(failure)}; trying again`);
  }
}
