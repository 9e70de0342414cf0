import { encodeLines, FORMAT } from '../cloud/envelope.ts';
import type { Line } from '../cloud/publisher.ts';

/**
 * A message for `incoming-dead`. The attribute `reason` tells it from what Pub/Sub puts there
 * itself after too many attempts: to deliver it again unchanged would fail again.
 */
export interface DeadLetter {
  readonly data: Buffer;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Pub/Sub allows 1,024 bytes for an attribute's value. */
const ATTRIBUTE_BYTES_MAX = 1_024;
/** A body that is no push may exceed Pub/Sub's 10 MB; nobody can read it to the end anyway. */
const DATA_BYTES_MAX = 9_900_000;
/** Pub/Sub allows 100 attributes; we add one. */
const ATTRIBUTES_MAX = 99;

/** One event that is refused, by the database where it has an SQLSTATE, in the form in which it came. */
export function deadEvent(line: Line, reason: string, sqlstate?: string): DeadLetter {
  const attributes = { format: FORMAT, reason: clip(reason) };
  return {
    data: encodeLines([line]),
    attributes: sqlstate === undefined ? attributes : { ...attributes, sqlstate },
  };
}

/** A whole message as it came, with the attributes that it had. */
export function deadMessage(
  data: Buffer,
  attributes: Readonly<Record<string, string>>,
  reason: string,
): DeadLetter {
  const kept = Object.entries(attributes).slice(0, ATTRIBUTES_MAX);
  return {
    data: data.subarray(0, DATA_BYTES_MAX),
    attributes: { ...Object.fromEntries(kept), reason: clip(reason) },
  };
}

/** Cuts to the bytes allowed, never inside a character. */
function clip(text: string): string {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length <= ATTRIBUTE_BYTES_MAX) return text;
  let end = ATTRIBUTE_BYTES_MAX;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.toString('utf8', 0, end);
}
