import type { Clock } from './clock.ts';
import { UpstreamFailure } from './failure.ts';

/** A relay's OK to an event. */
export interface PublishResult {
  readonly accepted: boolean;
  /** Begins with a machine-readable prefix where NIP-01 is kept; may be empty. */
  readonly message: string;
}

interface Waiting {
  resolve(result: PublishResult): void;
  reject(failure: UpstreamFailure): void;
  cancelTimer(): void;
}

/** Who waits for which OK. An id may be awaited more than once: each OK answers the eldest. */
export class PublishLedger {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Waiting[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  expect(id: string, timeoutMs: number): Promise<PublishResult> {
    return new Promise((resolve, reject) => {
      const cancelTimer = this.#clock.after(timeoutMs, () => {
        this.#remove(id, waiting);
        reject(new UpstreamFailure('timeout', `no OK within ${timeoutMs / 1000} s`));
      });
      const waiting: Waiting = { resolve, reject, cancelTimer };
      const others = this.#waiting.get(id);
      if (others === undefined) this.#waiting.set(id, [waiting]);
      else others.push(waiting);
    });
  }

  answer(id: string, result: PublishResult): void {
    const eldest = this.#waiting.get(id)?.[0];
    if (eldest === undefined) return;
    this.#remove(id, eldest);
    eldest.cancelTimer();
    eldest.resolve(result);
  }

  /** Nobody will be answered any more. */
  fail(failure: UpstreamFailure): void {
    for (const all of this.#waiting.values()) {
      for (const waiting of all) {
        waiting.cancelTimer();
        waiting.reject(failure);
      }
    }
    this.#waiting.clear();
  }

  #remove(id: string, waiting: Waiting): void {
    const rest = (this.#waiting.get(id) ?? []).filter((other) => other !== waiting);
    if (rest.length === 0) this.#waiting.delete(id);
    else this.#waiting.set(id, rest);
  }
}
