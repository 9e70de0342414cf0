import { computeId, type NostrEvent, parseEvent } from '../nostr/event.ts';
import { accept, type Result, refuse } from '../nostr/result.ts';
import { parseJsonLine } from './event-line.ts';

/** Nothing, or what frames the events of a JSON array with one of them a line. */
const FRAME = /^[[\]]?$/;

/**
 * The event in a line of an export, undefined where the line holds none and need not. Lines are
 * taken as relays write them: an event, with whatever fields beside the seven; `[meta, event]`, as
 * our own archive has them; `["EVENT", …, event]`, as they came over a socket; an element of a
 * JSON array, with its comma. The signature is the relay's to check.
 */
export function parseImportLine(bytes: Uint8Array): Result<NostrEvent | undefined> {
  if (bytes.length <= 1 && FRAME.test(Buffer.from(bytes).toString('latin1'))) {
    return accept(undefined);
  }
  const line = bytes.at(-1) === COMMA ? bytes.subarray(0, -1) : bytes;
  const event = eventIn(line);
  const isTrue = event.ok && (!hasPairs(line) || isWhole(event.value));
  return isTrue ? event : (halved(line) ?? event);
}

const COMMA = 0x2c;

function eventIn(line: Uint8Array): Result<NostrEvent> {
  const json = parseJsonLine(line);
  if (!json.ok) return json;
  const { value } = json;
  if (!Array.isArray(value)) return parseEvent(value);
  const [first, second] = value as readonly unknown[];
  if (first === 'EVENT') return parseEvent(value.at(-1));
  const alone = parseEvent(first);
  if (alone.ok && value.length === 1) return alone;
  if (alone.ok) return refuse('several events; give each a line of its own');
  return parseEvent(value.length === 2 ? second : value);
}

const isWhole = (event: NostrEvent): boolean => computeId(event) === event.id;
const hasPairs = (line: Uint8Array): boolean => Buffer.from(line).includes('\\\\');

/**
 * PostgreSQL's `COPY … TO STDOUT` writes each backslash twice unless told otherwise. Often the line
 * is JSON still, but of another content, which the id does not fit.
 */
function halved(line: Uint8Array): Result<NostrEvent> | undefined {
  if (!hasPairs(line)) return undefined;
  const event = eventIn(Buffer.from(Buffer.from(line).toString('utf8').replaceAll('\\\\', '\\')));
  return event.ok && isWhole(event.value) ? event : undefined;
}
