import { accept, type Result, refuse } from '../result.ts';
import { type Bound, END, hexOf, ID_BYTES, type Items, START } from './items.ts';
import {
  LIST_BYTES_MAX,
  parseMessage,
  RANGE_BYTES_MAX,
  type Range,
  VERSION,
  Writer,
} from './message.ts';

/** Into how many parts a range is cut whose fingerprints differ. */
const PARTS = 16;

/** A range of fewer items than this is told by its ids. */
const LISTED_BELOW = 2 * PARTS;

/** What the answer to one range takes at most, when it is cut or told by its ids. */
const SPLIT_BYTES_MAX = Math.max(PARTS * RANGE_BYTES_MAX, LIST_BYTES_MAX + LISTED_BELOW * ID_BYTES);

/** What the end of a message takes that breaks off: a skipped range, and the rest in one. */
const TAIL_BYTES_MAX = 2 * RANGE_BYTES_MAX;

/** A frame must have room for one answer at least, or the two sides would never get on. */
export const FRAME_BYTES_MIN = 4_096;

/** What one message taught the initiator. */
export interface Lesson {
  /** What to send next; undefined when all is known. */
  readonly reply: Uint8Array | undefined;
  /**
   * Ids that we have and the other side lacks. Where frames were full, ids may come again in a
   * later lesson: a message that breaks off takes up again what was settled behind that point.
   */
  readonly have: readonly string[];
  /** Ids that the other side has and we lack, as far as it is to be believed. */
  readonly need: readonly string[];
  /** Of all that is older than this second, no more is to be learnt; infinity at the end. */
  readonly settledBefore: number;
}

/** The first message of whoever begins. */
export function initiate(items: Items): Uint8Array {
  const writer = new Writer();
  split(writer, items, 0, items.size, END);
  return writer.bytes();
}

/**
 * Whoever began learns from the other side's answer (NIP-77). A message that is no message is
 * refused with the reason; one that lies gives wrong ids, and no more of them than it has bytes.
 * @param frameBytesMax the longest reply, `FRAME_BYTES_MIN` or more.
 */
export function reconcile(
  items: Items,
  message: Uint8Array,
  frameBytesMax: number,
): Result<Lesson> {
  const parsed = parseMessage(message);
  if (!parsed.ok) return parsed;
  if (parsed.value.ranges === undefined) {
    return refuse(`the other side speaks version ${parsed.value.version} of negentropy`);
  }
  const have: string[] = [];
  const need: string[] = [];
  const writer = new Writer();
  const { createdAt } = answer(writer, items, parsed.value.ranges, frameBytesMax, (from, to, ids) =>
    compare(items, from, to, ids, have, need),
  );
  const reply = writer.length === 1 ? undefined : writer.bytes();
  return accept({ reply, have, need, settledBefore: createdAt });
}

/**
 * The answer of whoever did not begin. To a version that is not spoken here it is the one that is,
 * as NIP-77 wants.
 */
export function respond(
  items: Items,
  message: Uint8Array,
  frameBytesMax: number,
): Result<Uint8Array> {
  const parsed = parseMessage(message);
  if (!parsed.ok) return parsed;
  if (parsed.value.ranges === undefined) return accept(Uint8Array.of(VERSION));
  const writer = new Writer();
  answer(writer, items, parsed.value.ranges, frameBytesMax, undefined);
  return accept(writer.bytes());
}

/** Learns from a list of the other side's ids in a range; undefined: it gets our ids instead. */
type Learn = ((from: number, to: number, ids: Uint8Array) => void) | undefined;

/**
 * Answers range by range; breaks off where the frame is full, with one fingerprint for the rest.
 * @returns the bound below which nothing was answered: no more is to be said of that.
 */
function answer(
  writer: Writer,
  items: Items,
  ranges: readonly Range[],
  frameBytesMax: number,
  learn: Learn,
): Bound {
  const bytesMax = Math.max(frameBytesMax, FRAME_BYTES_MIN) - TAIL_BYTES_MAX;
  let lower: Bound = START;
  let from = 0;
  /** Ranges up to `lower` that need no more talk; said only when something follows. */
  let skipped = false;
  let settled = END;
  const skip = () => {
    if (settled === END) settled = lower;
    if (skipped) writer.skip(lower);
    skipped = false;
  };
  const breakOff = (first: number) => {
    // What the other side says no more of at the end is left out.
    const last = ranges.findLast(({ mode }) => mode !== 'skip')?.upper ?? END;
    writer.fingerprint(last, items.fingerprint(first, items.lowerBound(last, first)));
  };
  for (const range of ranges) {
    const to = items.lowerBound(range.upper, from);
    if (range.mode === 'ids' && learn !== undefined) {
      learn(from, to, range.ids);
      skipped = true;
    } else if (range.mode === 'ids') {
      const room = Math.floor(
        (bytesMax - writer.length - RANGE_BYTES_MAX - LIST_BYTES_MAX) / ID_BYTES,
      );
      skip();
      if (room < to - from) {
        breakOff(room < 1 ? from : listSome(writer, items, from, from + room));
        return settled;
      }
      writer.ids(range.upper, items.idBytesOf(from, to));
    } else if (range.mode === 'skip' || isEqual(range.fingerprint, items.fingerprint(from, to))) {
      skipped = true;
    } else {
      const full = writer.length + RANGE_BYTES_MAX + SPLIT_BYTES_MAX > bytesMax;
      skip();
      if (full) {
        breakOff(from);
        return settled;
      }
      split(writer, items, from, to, range.upper);
    }
    lower = range.upper;
    from = to;
  }
  return settled;
}

/** Lists a range that goes on after its end; @returns where it goes on. */
function listSome(writer: Writer, items: Items, from: number, to: number): number {
  writer.ids(items.boundBefore(to), items.idBytesOf(from, to));
  return to;
}

/** Says of a range what can be compared: the ids of a small one, fingerprints of parts else. */
function split(writer: Writer, items: Items, from: number, to: number, upper: Bound): void {
  const count = to - from;
  if (count < LISTED_BELOW) {
    writer.ids(upper, items.idBytesOf(from, to));
    return;
  }
  let start = from;
  for (let part = 1; part <= PARTS; part += 1) {
    const end = from + Math.floor((count * part) / PARTS);
    const bound = part === PARTS ? upper : items.boundBefore(end);
    writer.fingerprint(bound, items.fingerprint(start, end));
    start = end;
  }
}

/** Notes who lacks what in a range. */
function compare(
  items: Items,
  from: number,
  to: number,
  ids: Uint8Array,
  have: string[],
  need: string[],
): void {
  const theirs = new Set<string>();
  for (let at = 0; at < ids.length; at += ID_BYTES) {
    theirs.add(hexOf(ids.subarray(at, at + ID_BYTES)));
  }
  for (let index = from; index < to; index += 1) {
    const id = items.id(index);
    if (!theirs.delete(id)) have.push(id);
  }
  for (const id of theirs) need.push(id);
}

const isEqual = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
