import { hash } from 'node:crypto';
import { varintBytes } from './varint.ts';

/** Bytes of an event id. */
export const ID_BYTES = 32;

/** Bytes of a fingerprint. */
export const FINGERPRINT_BYTES = 16;

/** 32-bit words of an id. */
const WORDS = ID_BYTES / 4;

/** Two to the power of 32, what one word carries over. */
const WORD = 2 ** 32;

/**
 * Items between two stored sums. A sum over any range then adds at most twice as many ids, which
 * takes a microsecond, and the sums take one byte an item.
 */
const BLOCK = 32;

/** The lower end of the next range and the upper end of one: a time, and how an id begins. */
export interface Bound {
  /** Unix seconds; infinity for the end of everything. */
  readonly createdAt: number;
  /** 0 to 32 bytes; what is left out counts as zeros. */
  readonly idPrefix: Uint8Array;
}

const NO_PREFIX = new Uint8Array(0);

/** The end of everything. */
export const END: Bound = { createdAt: Number.POSITIVE_INFINITY, idPrefix: NO_PREFIX };

/** The beginning of everything. */
export const START: Bound = { createdAt: 0, idPrefix: NO_PREFIX };

/**
 * An unchanging set of events, each by time and id, sorted as negentropy wants it: by time, then by
 * id. Takes 41 bytes an item. Made by an `ItemsBuilder`.
 */
export class Items {
  readonly #times: Float64Array;
  readonly #ids: Uint8Array;
  /** The ids as words, to be added up: the machines we know are all little-endian. */
  readonly #words: Uint32Array;
  /** The sum of all ids before each whole block. */
  readonly #sums: Uint32Array;
  readonly #scratch = new Float64Array(WORDS);

  /** Use an `ItemsBuilder`: nothing is checked here. */
  constructor(times: Float64Array, ids: Uint8Array<ArrayBuffer>, sums: Uint32Array) {
    this.#times = times;
    this.#ids = ids;
    this.#words = new Uint32Array(ids.buffer, ids.byteOffset, ids.length / 4);
    this.#sums = sums;
  }

  get size(): number {
    return this.#times.length;
  }

  /** The time of an item, Unix seconds. */
  createdAt(index: number): number {
    return this.#times[index]!;
  }

  /** The 32 bytes of an item's id; not to be written to. */
  idBytes(index: number): Uint8Array {
    return this.#ids.subarray(index * ID_BYTES, (index + 1) * ID_BYTES);
  }

  /** The 32 bytes of each id of a range, one after the other; not to be written to. */
  idBytesOf(from: number, to: number): Uint8Array {
    return this.#ids.subarray(from * ID_BYTES, to * ID_BYTES);
  }

  /** An item's id in hex. */
  id(index: number): string {
    return hexOf(this.idBytes(index));
  }

  /** The last `count` items alone. */
  newest(count: number): Items {
    if (count >= this.size) return this;
    const from = this.size - count;
    const times = this.#times.slice(from);
    const ids = this.#ids.slice(from * ID_BYTES);
    return new Items(times, ids, sumsOf(ids));
  }

  /** The first index, `from` or later, whose item is not below the bound. */
  lowerBound(bound: Bound, from: number): number {
    let low = from;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#isBelow(middle, bound)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The shortest bound that has the item at `index` above it and the one before it below. */
  boundBefore(index: number): Bound {
    const createdAt = this.createdAt(index);
    if (this.createdAt(index - 1) !== createdAt) return { createdAt, idPrefix: NO_PREFIX };
    const before = this.idBytes(index - 1);
    const id = this.idBytes(index);
    let shared = 0;
    while (shared < ID_BYTES - 1 && id[shared] === before[shared]) shared += 1;
    return { createdAt, idPrefix: id.subarray(0, shared + 1) };
  }

  /** What stands for all items from one index up to, not including, another. */
  fingerprint(from: number, to: number): Uint8Array {
    const sum = this.#scratch.fill(0);
    this.#addBefore(to, sum, 1);
    this.#addBefore(from, sum, -1);
    const count = varintBytes(to - from);
    const input = new Uint8Array(ID_BYTES + count.length);
    const view = new DataView(input.buffer);
    let carry = 0;
    for (let word = 0; word < WORDS; word += 1) {
      const value = sum[word]! + carry;
      carry = Math.floor(value / WORD);
      view.setUint32(word * 4, value - carry * WORD, true);
    }
    input.set(count, ID_BYTES);
    return hash('sha256', input, 'buffer').subarray(0, FINGERPRINT_BYTES);
  }

  /** Adds the sum of all ids before an index, word by word: carries are the caller's business. */
  #addBefore(index: number, sum: Float64Array, sign: 1 | -1): void {
    const block = Math.floor(index / BLOCK);
    for (let word = 0; word < WORDS; word += 1) {
      sum[word] = sum[word]! + sign * this.#sums[block * WORDS + word]!;
    }
    const end = index * WORDS;
    for (let at = block * BLOCK * WORDS; at < end; at += WORDS) {
      for (let word = 0; word < WORDS; word += 1) {
        sum[word] = sum[word]! + sign * this.#words[at + word]!;
      }
    }
  }

  #isBelow(index: number, { createdAt, idPrefix }: Bound): boolean {
    const time = this.#times[index]!;
    if (time !== createdAt) return time < createdAt;
    const at = index * ID_BYTES;
    for (let byte = 0; byte < idPrefix.length; byte += 1) {
      const difference = this.#ids[at + byte]! - idPrefix[byte]!;
      if (difference !== 0) return difference < 0;
    }
    return false;
  }
}

/** The sums that `Items` wants, to be filled block by block. */
export function* summing(
  ids: Uint8Array<ArrayBuffer>,
  blocksAtOnce: number,
): Generator<void, Uint32Array, void> {
  const words = new Uint32Array(ids.buffer, ids.byteOffset, ids.length / 4);
  const blocks = Math.floor(ids.length / (ID_BYTES * BLOCK));
  const sums = new Uint32Array((blocks + 1) * WORDS);
  const sum = new Float64Array(WORDS);
  for (let block = 0; block < blocks; block += 1) {
    const end = (block + 1) * BLOCK * WORDS;
    for (let at = block * BLOCK * WORDS; at < end; at += WORDS) {
      for (let word = 0; word < WORDS; word += 1) sum[word] = sum[word]! + words[at + word]!;
    }
    let carry = 0;
    for (let word = 0; word < WORDS; word += 1) {
      const value = sum[word]! + carry;
      carry = Math.floor(value / WORD);
      sum[word] = value - carry * WORD;
      sums[(block + 1) * WORDS + word] = sum[word]!;
    }
    if (block % blocksAtOnce === blocksAtOnce - 1) yield;
  }
  return sums;
}

function sumsOf(ids: Uint8Array<ArrayBuffer>): Uint32Array {
  const step = summing(ids, Number.POSITIVE_INFINITY).next();
  if (step.done !== true) throw new Error('the sums came in parts');
  return step.value;
}

/** Bytes as lowercase hex. */
export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}
