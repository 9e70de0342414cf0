import type { Clock } from './clock.ts';

/** Tells of subscriptions that have got nothing for too long. */
export class QuietTimers {
  readonly #timers = new Map<string, () => void>();
  readonly #clock: Clock;
  readonly #delayMs: number;
  readonly #isPaused: () => boolean;
  readonly #expired: (id: string) => void;

  /** @param isPaused true while we do not listen: silence is then our own doing. */
  constructor(
    clock: Clock,
    delayMs: number,
    isPaused: () => boolean,
    expired: (id: string) => void,
  ) {
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.#isPaused = isPaused;
    this.#expired = expired;
  }

  /** Begins the wait for a subscription anew. */
  arm(id: string): void {
    this.disarm(id);
    const cancel = this.#clock.after(this.#delayMs, () => {
      if (this.#isPaused()) return this.arm(id);
      this.#timers.delete(id);
      this.#expired(id);
    });
    this.#timers.set(id, cancel);
  }

  disarm(id: string): void {
    this.#timers.get(id)?.();
    this.#timers.delete(id);
  }

  clear(): void {
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
  }
}
