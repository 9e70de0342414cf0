import { hash } from 'node:crypto';
import type { NostrEvent } from '../nostr/event.ts';
import { isVersioned, KIND_DELETION, KIND_VANISH } from '../nostr/kinds.ts';

/**
 * The compact keys of the tables: 16 bytes each, as uuid in the form of 32 hex digits. They sort
 * like the hex they are taken from. infra/decisions/ has the argument why 16 bytes are enough.
 */
export type Key = string;

const KEY_DIGITS = 32;

/** Sorts before every key that an event has. */
export const LOWEST_KEY: Key = '0'.repeat(KEY_DIGITS);

/** Key of an event, by its id. */
export const eventKey = (id: string): Key => id.slice(0, KEY_DIGITS);

/** Key of an author, by the public key. */
export const authorKey = (pubkey: string): Key => pubkey.slice(0, KEY_DIGITS);

/** Key of a tag: letter and value, however long that is. */
export const tagKey = (letter: string, value: string): Key =>
  hash('sha256', letter + value, 'hex').slice(0, KEY_DIGITS);

/**
 * Key of a d tag together with kind and author. Kept events are indexed by it too, as if it were
 * one more tag, so that a filter that names an address is one probe, also where an event has
 * several d tags. Longer than any one letter with a hex value could be mistaken for.
 */
export const addressTagKey = (kind: number, author: Key, d: string): Key =>
  hash('sha256', `address:${kind}:${author}:${d}`, 'hex').slice(0, KEY_DIGITS);

/** The `d` of all replaceable events: they have one version an author and kind. */
const NO_D = tagKey('d', '');

/** The `d` of an address, by its value. */
export const dKey = (value: string): Key => (value === '' ? NO_D : tagKey('d', value));

/** True for the kinds whose events live in `kept`: they never age out. */
export const isKeptKind = (kind: number): boolean =>
  isVersioned(kind) || kind === KIND_DELETION || kind === KIND_VANISH;

const LETTER = /^[a-zA-Z]$/;

/** Keys of the tags that filters can name, each once. */
export function tagKeysOf(event: Pick<NostrEvent, 'tags' | 'kind' | 'pubkey'>): Set<Key> {
  const keys = new Set<Key>();
  const seen = new Set<string>();
  const kept = isKeptKind(event.kind);
  for (const [letter, value] of event.tags) {
    if (letter === undefined || value === undefined || !LETTER.test(letter)) continue;
    const named = letter + value;
    if (seen.has(named)) continue;
    seen.add(named);
    keys.add(tagKey(letter, value));
    if (kept && letter === 'd') {
      keys.add(addressTagKey(event.kind, authorKey(event.pubkey), value));
    }
  }
  return keys;
}
