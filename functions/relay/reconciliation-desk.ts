/** Sets that are gathered from the database at once: the rest of its connections serve REQs. */
const GATHERING_MAX = 2;

/**
 * What all negentropy sessions of the process share: how many items they may hold together, who may
 * gather a set now, and whose turn it is to compute.
 */
export class ReconciliationDesk {
  readonly itemsMax: number;
  #items = 0;
  #gathering = 0;
  readonly #waiting = new Set<() => void>();
  #turns: Promise<void> = Promise.resolve();

  constructor(itemsMax: number) {
    this.itemsMax = itemsMax;
  }

  /** Items that all sessions hold now. */
  get items(): number {
    return this.#items;
  }

  /** Takes room for so many items; false, and nothing taken, where there is not enough. */
  take(count: number): boolean {
    if (this.#items + count > this.itemsMax) return false;
    this.#items += count;
    return true;
  }

  /** Gives room back. */
  give(count: number): void {
    this.#items -= count;
  }

  /**
   * Does the work when few enough others gather; in the order of asking.
   * @throws the signal's reason where it comes before the work begins, and what the work throws.
   */
  async gather<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    await this.#place(signal);
    try {
      return await work();
    } finally {
      // Whoever waits longest takes the place over.
      const next = this.#waiting.values().next().value;
      if (next === undefined) this.#gathering -= 1;
      else {
        this.#waiting.delete(next);
        next();
      }
    }
  }

  async #place(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#gathering < GATHERING_MAX) {
      this.#gathering += 1;
      return;
    }
    // Who gives up must not be remembered: a client could open sessions over and over.
    await new Promise<void>((resolve, reject) => {
      const begin = () => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = () => {
        this.#waiting.delete(begin);
        reject(signal.reason);
      };
      this.#waiting.add(begin);
      signal.addEventListener('abort', giveUp, { once: true });
    });
  }

  /** Resolves once in each turn of the event loop, for one who asked: others are served between. */
  turn(): Promise<void> {
    const turn = this.#turns.then(() => new Promise<void>((resolve) => setImmediate(resolve)));
    this.#turns = turn;
    return turn;
  }
}
