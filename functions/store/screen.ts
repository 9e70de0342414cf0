import type { IncomingMeta, RawLine } from '../cloud/envelope.ts';
import { traceOfEvent } from '../cloud/trace.ts';
import type { NewEvent, Seen } from '../database/write.ts';
import { eventText, isHex64, parseEvent } from '../nostr/event.ts';
import { kindClass } from '../nostr/kinds.ts';
import type { Verifier } from '../nostr/verify.ts';

/** An event that may be written, with what came along. */
export interface Screened extends NewEvent {
  readonly meta: IncomingMeta;
}

/** An event that may not, and why. The id is what the line claims, where it claims one. */
export interface Refusal {
  readonly id: string | undefined;
  readonly meta: IncomingMeta;
  readonly reason: string;
  /** The text of an event that is true and only too large for us. */
  readonly text?: string;
}

export interface ScreenLimits {
  /** UTF-8 bytes of the event's text. */
  readonly eventBytesMax: number;
}

/**
 * Judges one line anew: store trusts no publisher. Nothing here is stricter than what a relay
 * has checked before its `OK true`, but for the limits that the whole system shares.
 */
export function screen(
  line: RawLine,
  fallback: IncomingMeta,
  limits: ScreenLimits,
  verifier: Verifier,
):
  | { readonly ok: true; readonly value: Screened }
  | { readonly ok: false; readonly refusal: Refusal } {
  const claimed = claimedId(line.event);
  const meta = parseMeta(line.meta, isHex64(claimed) ? claimed : '', fallback);
  const refused = (reason: string, id: unknown) =>
    ({ ok: false, refusal: { id: isHex64(id) ? id : undefined, meta, reason } }) as const;
  const parsed = parseEvent(line.event);
  if (!parsed.ok) return refused(parsed.reason, claimed);
  const event = parsed.value;
  if (kindClass(event.kind) === 'ephemeral') {
    return refused('ephemeral events are not stored', event.id);
  }
  if (!verifier.verify(event)) return refused('id or signature is not true', event.id);
  const text = eventText(event);
  const bytes = Buffer.byteLength(text);
  if (bytes > limits.eventBytesMax) {
    const reason = `event has ${bytes} bytes, ${limits.eventBytesMax} are allowed`;
    return { ok: false, refusal: { id: event.id, meta, reason, text } };
  }
  return { ok: true, value: { event, text, meta, seen: seenBy(meta) } };
}

/** What is wrong in the company of an event takes nothing from the event: it gets the fallback. */
function parseMeta(value: unknown, id: string, fallback: IncomingMeta): IncomingMeta {
  // What was published by an earlier version has traces of another kind.
  const trace = traceOfEvent(id);
  if (typeof value !== 'object' || value === null) return { ...fallback, trace };
  const { acceptedAt, source, sourceId, keys } = value as Record<string, unknown>;
  return {
    acceptedAt: Number.isSafeInteger(acceptedAt) ? (acceptedAt as number) : fallback.acceptedAt,
    trace,
    source: typeof source === 'string' ? source.slice(0, SOURCE_MAX) : fallback.source,
    ...(isSourceId(sourceId) && { sourceId }),
    keys: Array.isArray(keys) ? keys.filter(isHex64) : fallback.keys,
  };
}

/** What the database keeps of where the event came from. */
const seenBy = ({ sourceId, acceptedAt }: IncomingMeta): Seen =>
  sourceId === undefined ? { seenAt: acceptedAt } : { seenFrom: sourceId, seenAt: acceptedAt };

/** A number that the database's integer can hold: a wrong one must not refuse the event. */
const isSourceId = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) > 0 && (value as number) <= SOURCE_ID_MAX;

const SOURCE_ID_MAX = 2 ** 31 - 1;
/** An upstream relay's address. */
const SOURCE_MAX = 1_000;

function claimedId(event: unknown): unknown {
  return typeof event === 'object' && event !== null && 'id' in event ? event.id : undefined;
}
