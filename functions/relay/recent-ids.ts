/**
 * Remembers ids for at least `lifetimeMs` and at most twice as long, in bounded memory: when the
 * newer half is full it becomes the older half early.
 */
export class RecentIds {
  readonly #lifetimeMs: number;
  readonly #halfMax: number;
  #newer = new Set<string>();
  #older = new Set<string>();
  #turnedAt: number;

  constructor(options: { lifetimeMs: number; idsMax: number; nowMs: number }) {
    this.#lifetimeMs = options.lifetimeMs;
    this.#halfMax = Math.ceil(options.idsMax / 2);
    this.#turnedAt = options.nowMs;
  }

  /** Notes an id; false when it was known already. */
  add(id: string, nowMs: number): boolean {
    if (nowMs - this.#turnedAt >= this.#lifetimeMs || this.#newer.size >= this.#halfMax) {
      this.#older = this.#newer;
      this.#newer = new Set();
      this.#turnedAt = nowMs;
    }
    if (this.#newer.has(id) || this.#older.has(id)) return false;
    this.#newer.add(id);
    return true;
  }
}
