/**
 * How events travel in a Pub/Sub message: one JSON line each, `[meta, event]`, so that a flood
 * fills one message (a push subscription makes one HTTP call a message) and one bad line cannot
 * hurt its neighbours. The attribute `format` names the version; a reader takes its own version
 * and the one before. Framing only: what an event is, this file does not know.
 */

/** Version that this code writes; `READABLE` holds what it also reads. */
export const FORMAT = '1';
const READABLE: ReadonlySet<string> = new Set([FORMAT]);

/** What accompanies an event on its way to store. */
export interface IncomingMeta {
  /** When the relay took the event: Unix time in milliseconds. */
  readonly acceptedAt: number;
  /** Follows the event through the logs of every part. */
  readonly trace: string;
  /** Where it came from: `client`, or the address of the upstream relay. */
  readonly source: string;
  /** That upstream's number in the table of sources; absent for clients. */
  readonly sourceId?: number;
  /** Public keys that the socket had authenticated (NIP-42). */
  readonly keys: readonly string[];
}

/** What store decided about one event. Ephemeral events come from the relay itself. */
export type Outcome = 'stored' | 'duplicate' | 'superseded' | 'deleted' | 'refused' | 'ephemeral';

/**
 * One event's fate, for every relay instance. Its text stands beside it for `stored` and `ephemeral`;
 * the others need none.
 */
export interface StoredMeta {
  readonly id: string;
  readonly outcome: Outcome;
  /** Names the relay instance that took the event first, where the message came from one. */
  readonly acceptedAt: number;
  readonly trace: string;
  /** Why it was refused; absent otherwise. */
  readonly reason?: string;
  /** Present for `stored`: the transaction, its place in the changes log, what left with it. */
  readonly change?: {
    /** PostgreSQL transaction id (xid8). */
    readonly transaction: number;
    /** `changes.seq` of the addition: of two changes to one id the higher one holds. */
    readonly seq: number;
    /** Events that this one removed: superseded versions, deleted events. */
    readonly removed: readonly { readonly id: string; readonly seq: number }[];
  };
}

/** One line as text; `text` is put in as it is, never parsed. */
export function encodeLine(meta: object, text: string | undefined): string {
  const head = JSON.stringify(meta);
  return text === undefined ? `[${head}]` : `[${head},${text}]`;
}

/** Joins lines to the data of one Pub/Sub message. */
export function encodeLines(lines: readonly { meta: object; text?: string }[]): Buffer {
  return Buffer.from(lines.map(({ meta, text }) => encodeLine(meta, text)).join('\n'), 'utf8');
}

/** A line taken apart by JSON.parse; what it holds must still be checked by its reader. */
export interface RawLine {
  readonly meta: unknown;
  readonly event: unknown;
}

/**
 * Splits the data of one message. A line that is no JSON array comes out as a fault in its place;
 * the others are unharmed. Throws no error.
 * @returns `undefined` when the format is one that this version cannot read.
 */
export function decodeLines(
  data: Buffer,
  format: string | undefined,
): readonly (RawLine | { readonly fault: string })[] | undefined {
  if (format === undefined || !READABLE.has(format)) return undefined;
  return data
    .toString('utf8')
    .split('\n')
    .filter((line) => line.length > 0)
    .map((line) => {
      try {
        const value: unknown = JSON.parse(line);
        if (Array.isArray(value)) return { meta: value[0] as unknown, event: value[1] as unknown };
        return { fault: 'line is no JSON array' };
      } catch {
        return { fault: 'line is no JSON' };
      }
    });
}
