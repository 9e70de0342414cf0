import { accept, type Result, refuse } from '../result.ts';
import { type Bound, FINGERPRINT_BYTES, ID_BYTES } from './items.ts';
import { VARINT_BYTES_MAX, varintBytes } from './varint.ts';

/** The first byte of every message: version 1. */
export const VERSION = 0x61;

/** Versions are counted up from here; other first bytes are no negentropy. */
const VERSIONS_FROM = 0x60;
const VERSIONS_TO = 0x6f;

const SKIP = 0;
const FINGERPRINT = 1;
const ID_LIST = 2;

/** What a bound takes at most. */
const BOUND_BYTES_MAX = VARINT_BYTES_MAX + 1 + ID_BYTES;

/** What any range without a list of ids takes at most. */
export const RANGE_BYTES_MAX = BOUND_BYTES_MAX + 1 + FINGERPRINT_BYTES;

/** What a list of ids takes at most beside the ids. */
export const LIST_BYTES_MAX = BOUND_BYTES_MAX + 1 + VARINT_BYTES_MAX;

/** One range of a message: what its sender says of all items from the last bound to this one. */
export type Range =
  | { readonly mode: 'skip'; readonly upper: Bound }
  | { readonly mode: 'fingerprint'; readonly upper: Bound; readonly fingerprint: Uint8Array }
  /** `ids` holds 32 bytes each, one after the other. */
  | { readonly mode: 'ids'; readonly upper: Bound; readonly ids: Uint8Array };

/** A message taken apart: its ranges, or the version that its sender speaks. */
export type Message =
  | { readonly ranges: readonly Range[] }
  | { readonly ranges: undefined; readonly version: number };

/** Takes a message apart. All of it is looked at, so that a faulty one changes nothing. */
export function parseMessage(bytes: Uint8Array): Result<Message> {
  const version = bytes[0];
  if (version === undefined) return refuse('message is empty');
  if (version < VERSIONS_FROM || version > VERSIONS_TO) {
    return refuse('message does not begin with a version of negentropy');
  }
  if (version !== VERSION) return accept({ ranges: undefined, version: version - VERSIONS_FROM });
  const reader = new Reader(bytes, 1);
  const ranges: Range[] = [];
  while (!reader.atEnd) {
    const range = reader.range();
    if (range === undefined) return refuse(reader.fault);
    ranges.push(range);
  }
  return accept({ ranges });
}

/** Reads a message from its beginning to its end; whatever is wrong ends it with a fault. */
class Reader {
  readonly #bytes: Uint8Array;
  #at: number;
  #createdAt = 0;
  #lastPrefix = new Uint8Array(0);
  #fault = 'message ends too early';

  constructor(bytes: Uint8Array, from: number) {
    this.#bytes = bytes;
    this.#at = from;
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  get fault(): string {
    return this.#fault;
  }

  range(): Range | undefined {
    const upper = this.#bound();
    if (upper === undefined) return undefined;
    const mode = this.#varint();
    if (mode === undefined) return undefined;
    if (mode === SKIP) return { mode: 'skip', upper };
    if (mode === FINGERPRINT) {
      const fingerprint = this.#take(FINGERPRINT_BYTES);
      return fingerprint && { mode: 'fingerprint', upper, fingerprint };
    }
    if (mode !== ID_LIST) return this.#wrong(`mode ${mode} is not known`);
    const count = this.#varint();
    const ids = count === undefined ? undefined : this.#take(count * ID_BYTES);
    return ids && { mode: 'ids', upper, ids };
  }

  #bound(): Bound | undefined {
    if (this.#createdAt === Number.POSITIVE_INFINITY) {
      return this.#wrong('a range follows the end of everything');
    }
    const offset = this.#varint();
    if (offset === undefined) return undefined;
    const length = this.#varint();
    if (length === undefined) return undefined;
    if (length > ID_BYTES) return this.#wrong(`a bound has ${length} bytes of an id`);
    const idPrefix = this.#take(length);
    if (idPrefix === undefined) return undefined;
    const createdAt = offset === 0 ? Number.POSITIVE_INFINITY : this.#createdAt + offset - 1;
    if (offset > 0 && createdAt > Number.MAX_SAFE_INTEGER) {
      return this.#wrong('a bound lies beyond any time');
    }
    if (createdAt === this.#createdAt && Buffer.compare(idPrefix, this.#lastPrefix) < 0) {
      return this.#wrong('bounds are not in order');
    }
    this.#createdAt = createdAt;
    this.#lastPrefix = idPrefix as Uint8Array<ArrayBuffer>;
    return { createdAt, idPrefix };
  }

  #varint(): number | undefined {
    let value = 0;
    for (let digits = 0; digits < VARINT_BYTES_MAX; digits += 1) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) return undefined;
      this.#at += 1;
      value = value * 128 + (byte & 127);
      if (byte < 128) {
        return value <= Number.MAX_SAFE_INTEGER ? value : this.#wrong('a number is too large');
      }
    }
    return this.#wrong('a number is too long');
  }

  #take(count: number): Uint8Array | undefined {
    if (count > this.#bytes.length - this.#at) return undefined;
    const taken = this.#bytes.subarray(this.#at, this.#at + count);
    this.#at += count;
    return taken;
  }

  #wrong(fault: string): undefined {
    this.#fault = fault;
    return undefined;
  }
}

/** Writes a message, range by range, in order. */
export class Writer {
  #bytes = new Uint8Array(4_096);
  #length = 0;
  #createdAt = 0;

  constructor() {
    this.#put(Uint8Array.of(VERSION));
  }

  get length(): number {
    return this.#length;
  }

  skip(upper: Bound): void {
    this.#bound(upper);
    this.#put(varintBytes(SKIP));
  }

  fingerprint(upper: Bound, fingerprint: Uint8Array): void {
    this.#bound(upper);
    this.#put(varintBytes(FINGERPRINT));
    this.#put(fingerprint);
  }

  /** @param ids 32 bytes each, one after the other. */
  ids(upper: Bound, ids: Uint8Array): void {
    this.#bound(upper);
    this.#put(varintBytes(ID_LIST));
    this.#put(varintBytes(ids.length / ID_BYTES));
    this.#put(ids);
  }

  /** The message so far. */
  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #bound({ createdAt, idPrefix }: Bound): void {
    const ends = createdAt === Number.POSITIVE_INFINITY;
    this.#put(varintBytes(ends ? 0 : createdAt - this.#createdAt + 1));
    if (!ends) this.#createdAt = createdAt;
    this.#put(varintBytes(idPrefix.length));
    this.#put(idPrefix);
  }

  #put(bytes: Uint8Array): void {
    const length = this.#length + bytes.length;
    if (length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(length, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = length;
  }
}
