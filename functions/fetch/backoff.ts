import type { Clock } from '../upstream/clock.ts';
import type { Connection } from '../upstream/connection.ts';

const PAUSE_MIN_MS = 1_000;
const PAUSE_MAX_MS = 30_000;

/** The pauses of one who is told to come more slowly: each twice as long as the one before. */
export class Backoff {
  readonly #clock: Clock;
  readonly #connection: Connection;
  #inRow = 0;
  #pauses = 0;

  constructor(connection: Connection, clock: Clock) {
    this.#connection = connection;
    this.#clock = clock;
  }

  /** How often the relay told us so. */
  get pauses(): number {
    return this.#pauses;
  }

  /** True from the relay's word until it has answered again. */
  get isTold(): boolean {
    return this.#inRow > 0;
  }

  /** The relay answers. */
  relax(): void {
    this.#inRow = 0;
  }

  /**
   * Waits its time.
   * @returns false, without waiting, where that is more than what is left, and where the signal came.
   * @throws UpstreamFailure where the connection ends.
   */
  async wait(leftMs: number, signal?: AbortSignal): Promise<boolean> {
    const delayMs = Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** this.#inRow);
    this.#pauses += 1;
    this.#inRow += 1;
    if (delayMs >= leftMs || signal?.aborted === true) return false;
    let end = (_: boolean): void => {};
    const pause = new Promise<boolean>((resolve, reject) => {
      end = resolve;
      void this.#connection.closed.then(reject);
    });
    const cancel = this.#clock.after(delayMs, () => end(true));
    const onAbort = (): void => end(false);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await pause;
    } finally {
      cancel();
      signal?.removeEventListener('abort', onAbort);
    }
  }
}
