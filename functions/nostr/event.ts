import { hash } from 'node:crypto';
import { isVersioned, KIND_MAX, kindClass } from './kinds.ts';
import { accept, type Result, refuse } from './result.ts';

/** An event of the shape of NIP-01. Its id and signature need not be true. */
export interface NostrEvent {
  readonly id: string;
  readonly pubkey: string;
  /** Unix time in seconds. */
  readonly created_at: number;
  readonly kind: number;
  readonly tags: readonly (readonly string[])[];
  readonly content: string;
  readonly sig: string;
}

/** What an event's id commits to. */
export type UnsignedEvent = Omit<NostrEvent, 'id' | 'sig'>;

const HEX_64 = /^[0-9a-f]{64}$/;
const HEX_128 = /^[0-9a-f]{128}$/;

/** True for 32 bytes in lowercase hex: an event id or a public key. */
export const isHex64 = (value: unknown): value is string =>
  typeof value === 'string' && HEX_64.test(value);

/**
 * Checks the shape of a parsed JSON value against NIP-01. Nothing is said of id and signature.
 * Lone surrogates are refused: they have no UTF-8 form, so no id can commit to them.
 */
export function parseEvent(value: unknown): Result<NostrEvent> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuse('event must be a JSON object');
  }
  const { id, pubkey, created_at, kind, tags, content, sig } = value as Record<string, unknown>;
  if (!isHex64(id)) return refuse('id must be 64 lowercase hex characters');
  if (!isHex64(pubkey)) return refuse('pubkey must be 64 lowercase hex characters');
  if (!Number.isSafeInteger(created_at) || (created_at as number) < 0) {
    return refuse('created_at must be a whole number of seconds, 0 or more');
  }
  if (!Number.isInteger(kind) || (kind as number) < 0 || (kind as number) > KIND_MAX) {
    return refuse(`kind must be an integer from 0 to ${KIND_MAX}`);
  }
  const tagsFault = faultInTags(tags);
  if (tagsFault !== undefined) return refuse(tagsFault);
  if (typeof content !== 'string') return refuse('content must be a string');
  if (!content.isWellFormed()) return refuse('content holds a lone surrogate');
  if (typeof sig !== 'string' || !HEX_128.test(sig)) {
    return refuse('sig must be 128 lowercase hex characters');
  }
  return accept({
    id,
    pubkey,
    // JSON's -0 parses as a negative zero, which would be written back as 0.
    created_at: (created_at as number) + 0,
    kind: (kind as number) + 0,
    tags: tags as string[][],
    content,
    sig,
  });
}

function faultInTags(tags: unknown): string | undefined {
  if (!Array.isArray(tags)) return 'tags must be an array';
  for (const tag of tags) {
    if (!Array.isArray(tag)) return 'each tag must be an array';
    if (tag.length === 0) return 'each tag must have one or more strings';
    for (const part of tag) {
      if (typeof part !== 'string') return 'each tag must hold strings only';
      if (!part.isWellFormed()) return 'a tag holds a lone surrogate';
    }
  }
  return undefined;
}

/**
 * The text that an event's id is the SHA-256 of (NIP-01, "Events and signatures").
 * JSON.stringify escapes exactly the seven characters that NIP-01 names in their short form, and
 * the other control characters, which JSON cannot hold verbatim, as \u00XX like every client does.
 */
export function serializeForId(event: UnsignedEvent): string {
  return JSON.stringify([0, event.pubkey, event.created_at, event.kind, event.tags, event.content]);
}

/** The id that an event of this content must have: 64 lowercase hex characters. */
export function computeId(event: UnsignedEvent): string {
  return hash('sha256', serializeForId(event), 'hex');
}

/**
 * The event's text as it is stored and sent: the seven fields of NIP-01 in a fixed order and
 * nothing else, so that what a client added beside them goes no further. Always begins with
 * `{"id":"` and the id.
 */
export function eventText(event: NostrEvent): string {
  return JSON.stringify({
    id: event.id,
    pubkey: event.pubkey,
    created_at: event.created_at,
    kind: event.kind,
    tags: event.tags,
    content: event.content,
    sig: event.sig,
  });
}

/** The id in a text that `eventText` made, without parsing it. */
export const idOfText = (text: string): string => text.slice(7, 71);

/** The value of the event's first `d` tag; empty where it has none or one without a value. */
export function dTag(event: Pick<NostrEvent, 'tags'>): string {
  for (const tag of event.tags) if (tag[0] === 'd') return tag[1] ?? '';
  return '';
}

/**
 * Where an event's versions compete: `kind:pubkey:d` for addressable kinds, `kind:pubkey:` for
 * replaceable ones (the form of NIP-01's `a` tag), undefined for all others.
 */
export function addressOf(event: Omit<NostrEvent, 'sig' | 'content'>): string | undefined {
  if (!isVersioned(event.kind)) return undefined;
  const d = kindClass(event.kind) === 'addressable' ? dTag(event) : '';
  return `${event.kind}:${event.pubkey}:${d}`;
}

/** An address taken apart. */
export interface Address {
  readonly kind: number;
  readonly pubkey: string;
  readonly d: string;
}

/** Parses the value of an `a` tag; undefined where it names no replaceable or addressable event. */
export function parseAddress(value: string): Address | undefined {
  const first = value.indexOf(':');
  const second = value.indexOf(':', first + 1);
  if (first < 1 || second < 0) return undefined;
  const digits = value.slice(0, first);
  const pubkey = value.slice(first + 1, second);
  if (!/^(0|[1-9][0-9]{0,4})$/.test(digits) || !isHex64(pubkey)) return undefined;
  const kind = Number(digits);
  const d = value.slice(second + 1);
  const of = kindClass(kind);
  if (of === 'addressable') return { kind, pubkey, d };
  return of === 'replaceable' && d === '' ? { kind, pubkey, d } : undefined;
}

/**
 * Orders events as NIP-01 wants them answered: newest first, ties by lowest id. Of two versions
 * of one replaceable event the one that comes first here is the one to keep.
 */
export function compareEvents(
  a: Pick<NostrEvent, 'created_at' | 'id'>,
  b: Pick<NostrEvent, 'created_at' | 'id'>,
): number {
  if (a.created_at !== b.created_at) return b.created_at - a.created_at;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
