import type { Log } from '../cloud/log.ts';

export interface ReplicaHealthParts {
  /** Resolves where the replica answers. */
  readonly ask: () => Promise<void>;
  readonly log: Log;
  /** From 0 to below 1. */
  readonly random: () => number;
}

/** A replica that has not answered `ask` by then is away. */
const ASK_MAX_MS = 2_000;
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 30_000;

/** Whether the replica is there; one that is away is asked in the background, never by a REQ. */
export class ReplicaHealth {
  readonly #parts: ReplicaHealthParts;
  #present = true;
  #asking: Promise<void> | undefined;
  #stopped = false;
  #retry: NodeJS.Timeout | undefined;
  #waitMs = RETRY_FIRST_MS;

  constructor(parts: ReplicaHealthParts) {
    this.#parts = parts;
  }

  get present(): boolean {
    return this.#present;
  }

  /** A query failed in a way that says that the replica is gone, or goes. */
  failed(error: unknown): void {
    if (!this.#present || this.#stopped) return;
    this.#present = false;
    this.#parts.log.warning('the read replica is away; reads go to the primary', { error });
    this.#askLater();
  }

  /** A query took long, which may be its own fault. Resolves to whether the replica is there. */
  async suspect(): Promise<boolean> {
    if (this.#present && !this.#stopped) await this.#ask();
    return this.#present;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#retry);
  }

  #askLater(): void {
    // Instances do not come all at once.
    const waitMs = this.#waitMs * (0.5 + this.#parts.random() / 2);
    this.#waitMs = Math.min(2 * this.#waitMs, RETRY_MAX_MS);
    this.#retry = setTimeout(() => void this.#ask(), waitMs);
    this.#retry.unref();
  }

  /** One question at a time, for all who want to know. */
  #ask(): Promise<void> {
    this.#asking ??= this.#askNow().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #askNow(): Promise<void> {
    try {
      await inTime(this.#parts.ask());
      if (!this.#present) this.#parts.log.info('the read replica answers again');
      this.#present = true;
      this.#waitMs = RETRY_FIRST_MS;
    } catch (error) {
      if (this.#present) this.failed(error);
      else if (!this.#stopped) this.#askLater();
    }
  }
}

async function inTime(answer: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const silent = new Error(`the replica was silent for ${ASK_MAX_MS} ms`);
    timer = setTimeout(() => reject(silent), ASK_MAX_MS);
  });
  try {
    await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
