/** The first pause after a refusal that may pass; each further round doubles it. */
const PAUSE_MIN_MS = 250;
const PAUSE_MAX_MS = 30_000;

/**
 * How fast a relay wants to be fed. When it says that it cannot take more now, all sending stops
 * for a while and goes on with half as much under way; each answer after that lets a little more.
 */
export class Pace {
  readonly #windowMax: number;
  readonly #nowMs: () => number;
  #window: number;
  #pausedUntilMs = 0;
  #rounds = 0;

  constructor(windowMax: number, nowMs: () => number = () => performance.now()) {
    this.#windowMax = windowMax;
    this.#window = windowMax;
    this.#nowMs = nowMs;
  }

  /** Events that may be under way at a time. */
  get window(): number {
    return Math.floor(this.#window);
  }

  /** How long to wait before the next event is sent. */
  get pauseMs(): number {
    return Math.max(0, this.#pausedUntilMs - this.#nowMs());
  }

  /** An event was answered for good. */
  answered(): void {
    this.#rounds = 0;
    this.#window = Math.min(this.#windowMax, this.#window + 1 / this.#window);
  }

  /** The relay asks to come back later. Refusals of what was sent before the pause are one. */
  pushedBack(): void {
    if (this.pauseMs > 0) return;
    this.#window = Math.max(1, this.#window / 2);
    this.#pausedUntilMs = this.#nowMs() + Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** this.#rounds);
    this.#rounds += 1;
  }
}
