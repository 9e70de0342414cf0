/** Something that is due at a time; 0 means that it waits for nothing. Only Deadlines sets it. */
export interface Due {
  dueAt: number;
}

interface Slot<T> {
  readonly at: number;
  readonly item: T;
}

/** Below this size stale slots are not worth a rebuild. */
const REBUILD_MIN = 1_000;

/**
 * Calls back for each item when its time has come: a binary heap with one timer, since tens of
 * thousands of deliveries may each have a deadline that moves. A slot whose time is no longer its
 * item's is stale and skipped. Times are those of `performance.now()`, which no clock change moves.
 */
export class Deadlines<T extends Due> {
  readonly #onDue: (items: readonly T[]) => void;
  #heap: Slot<T>[] = [];
  #stale = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(onDue: (items: readonly T[]) => void) {
    this.#onDue = onDue;
  }

  /** Makes the item due after this many milliseconds; an earlier setting no longer counts. */
  set(item: T, delayMs: number): void {
    this.clear(item);
    if (this.#closed) return;
    item.dueAt = performance.now() + delayMs;
    this.#push({ at: item.dueAt, item });
    this.#arm();
  }

  clear(item: T): void {
    if (item.dueAt === 0) return;
    item.dueAt = 0;
    this.#stale += 1;
    if (this.#heap.length > REBUILD_MIN && this.#stale * 2 > this.#heap.length) this.#rebuild();
  }

  /** Nothing becomes due any more. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#heap = [];
  }

  #rebuild(): void {
    // A sorted array is a heap.
    this.#heap = this.#heap
      .filter(({ at, item }) => item.dueAt === at)
      .sort((left, right) => left.at - right.at);
    this.#stale = 0;
  }

  #arm(): void {
    const first = this.#heap[0];
    if (first === undefined || first.at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = first.at;
    this.#timer = setTimeout(() => this.#fire(), Math.max(1, first.at - performance.now()));
    this.#timer.unref();
  }

  #fire(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = performance.now();
    const due: T[] = [];
    for (let first = this.#heap[0]; first !== undefined && first.at <= now; first = this.#heap[0]) {
      this.#pop();
      if (first.item.dueAt === first.at) {
        first.item.dueAt = 0;
        due.push(first.item);
      } else {
        this.#stale -= 1;
      }
    }
    this.#arm();
    if (due.length > 0) this.#onDue(due);
  }

  #push(slot: Slot<T>): void {
    const heap = this.#heap;
    let at = heap.push(slot) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up];
      if (parent === undefined || parent.at <= slot.at) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = slot;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      if (left === undefined) break;
      const rightFirst = right !== undefined && right.at < left.at;
      const child = rightFirst ? right : left;
      if (child.at >= last.at) break;
      heap[at] = child;
      at = 2 * at + (rightFirst ? 2 : 1);
    }
    heap[at] = last;
  }
}
