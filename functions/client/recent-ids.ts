/**
 * How many ids are remembered at least: far more than a busy relay brings in the overlap after a
 * lost connection, at about 40 MB.
 */
const IDS_KEPT = 200_000;

/** Remembers the last ids, so that none is printed twice. */
export class RecentIds {
  readonly #kept: number;
  // Two generations, because a set that loses its eldest again and again becomes slow.
  #young = new Set<string>();
  #old = new Set<string>();

  constructor(kept = IDS_KEPT) {
    this.#kept = kept;
  }

  /** False where the id is remembered already. */
  add(id: string): boolean {
    if (this.#young.has(id) || this.#old.has(id)) return false;
    this.#young.add(id);
    if (this.#young.size >= this.#kept) {
      this.#old = this.#young;
      this.#young = new Set();
    }
    return true;
  }
}
