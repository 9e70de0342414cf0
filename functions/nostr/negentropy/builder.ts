import { ID_BYTES, Items, summing } from './items.ts';

/** Items that the first room is made for. */
const CAPACITY_MIN = 256;

/** Items that are worked on between two pauses of `sealing`: well under a millisecond. */
const SLICE = 4_096;

/** Gathers the items of a set, in any order; quickest where they come newest first or sorted. */
export class ItemsBuilder {
  #times = new Float64Array(CAPACITY_MIN);
  #ids = Buffer.alloc(CAPACITY_MIN * ID_BYTES);
  #size = 0;

  /** Items added so far, duplicates included. */
  get size(): number {
    return this.#size;
  }

  /**
   * Adds an event.
   * @param createdAt a whole number of seconds, 0 or more.
   * @param id 64 hex characters.
   * @throws RangeError where these are something else, which is a bug of the caller.
   */
  add(createdAt: number, id: string): void {
    if (!Number.isSafeInteger(createdAt) || createdAt < 0) {
      throw new RangeError(`created_at ${createdAt} is no whole number of seconds`);
    }
    if (this.#size === this.#times.length) this.#grow();
    const written = this.#ids.write(id, this.#size * ID_BYTES, ID_BYTES, 'hex');
    if (written !== ID_BYTES || id.length !== 2 * ID_BYTES) {
      throw new RangeError(`id "${id.slice(0, 80)}" is not 64 hex characters`);
    }
    this.#times[this.#size] = createdAt;
    this.#size += 1;
  }

  /** The set, each item once. The builder is of no use afterwards. */
  seal(): Items {
    const steps = this.sealing();
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
    }
  }

  /** The same in steps of less than a millisecond each, so that others can have their turn. */
  *sealing(): Generator<void, Items, void> {
    const order = yield* this.#sorting();
    const times = new Float64Array(this.#size);
    const ids = new Uint8Array(this.#size * ID_BYTES);
    let kept = 0;
    let last = -1;
    for (let place = 0; place < this.#size; place += 1) {
      if (place % SLICE === SLICE - 1) yield;
      const index = order === undefined ? place : order[place]!;
      if (last >= 0 && this.#compare(last, index) === 0) continue;
      times[kept] = this.#times[index]!;
      ids.set(this.#ids.subarray(index * ID_BYTES, (index + 1) * ID_BYTES), kept * ID_BYTES);
      kept += 1;
      last = index;
    }
    this.#times = new Float64Array(0);
    this.#ids = Buffer.alloc(0);
    const exact = kept === times.length;
    const sealedIds = exact ? ids : ids.slice(0, kept * ID_BYTES);
    const sums = yield* summing(sealedIds, SLICE / 32);
    return new Items(exact ? times : times.slice(0, kept), sealedIds, sums);
  }

  #grow(): void {
    const capacity = Math.ceil(this.#times.length * 1.5);
    const times = new Float64Array(capacity);
    times.set(this.#times);
    this.#times = times;
    const ids = Buffer.alloc(capacity * ID_BYTES);
    ids.set(this.#ids);
    this.#ids = ids;
  }

  /** Places of the items in order; undefined where they stand in order already. */
  *#sorting(): Generator<void, Uint32Array | undefined, void> {
    let rising = 0;
    let falling = 0;
    for (let index = 1; index < this.#size; index += 1) {
      if (index % SLICE === 0) yield;
      if (this.#compare(index - 1, index) <= 0) rising += 1;
      if (this.#times[index - 1]! > this.#times[index]!) falling += 1;
    }
    if (rising === Math.max(0, this.#size - 1)) return undefined;
    const order = new Uint32Array(this.#size);
    for (let place = 0; place < order.length; place += 1) order[place] = place;
    if (falling > rising) this.#turnRound(order);
    return yield* this.#merging(order);
  }

  /** Newest first with the lowest id first within a second becomes oldest first, in one pass. */
  #turnRound(order: Uint32Array): void {
    order.reverse();
    let from = 0;
    for (let place = 1; place <= order.length; place += 1) {
      if (place < order.length && this.#times[order[place]!] === this.#times[order[from]!])
        continue;
      if (place - from > 1) order.subarray(from, place).reverse();
      from = place;
    }
  }

  /** Merges the runs that are in order already, two by two, until there is one. */
  *#merging(given: Uint32Array): Generator<void, Uint32Array, void> {
    let order = given;
    let other: Uint32Array = new Uint32Array(order.length);
    let starts = yield* this.#runsOf(order);
    while (starts.length > 1) {
      const merged: number[] = [];
      let sinceYield = 0;
      for (let run = 0; run < starts.length; run += 2) {
        const from = starts[run]!;
        const middle = starts[run + 1] ?? order.length;
        const to = starts[run + 2] ?? order.length;
        merged.push(from);
        let left = from;
        let right = middle;
        for (let place = from; place < to; place += 1) {
          sinceYield += 1;
          if (sinceYield % SLICE === 0) yield;
          const takesLeft =
            right >= to || (left < middle && this.#compare(order[left]!, order[right]!) <= 0);
          other[place] = order[takesLeft ? left++ : right++]!;
        }
      }
      [order, other] = [other, order];
      starts = merged;
    }
    return order;
  }

  /** Where each run of items in order begins. */
  *#runsOf(order: Uint32Array): Generator<void, number[], void> {
    const starts = order.length > 0 ? [0] : [];
    for (let place = 1; place < order.length; place += 1) {
      if (place % SLICE === 0) yield;
      if (this.#compare(order[place - 1]!, order[place]!) > 0) starts.push(place);
    }
    return starts;
  }

  #compare(a: number, b: number): number {
    const difference = this.#times[a]! - this.#times[b]!;
    if (difference !== 0) return difference;
    const [atA, atB] = [a * ID_BYTES, b * ID_BYTES];
    for (let byte = 0; byte < ID_BYTES; byte += 1) {
      const apart = this.#ids[atA + byte]! - this.#ids[atB + byte]!;
      if (apart !== 0) return apart;
    }
    return 0;
  }
}
