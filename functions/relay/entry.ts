import { addressOf, type NostrEvent } from '../nostr/event.ts';

/** An event held in memory: parsed far enough to be found, with the text that clients get. */
export interface Entry {
  readonly id: string;
  readonly pubkey: string;
  readonly created_at: number;
  readonly kind: number;
  readonly tags: NostrEvent['tags'];
  readonly text: string;
  /** `kind:pubkey:d` of replaceable and addressable events. */
  readonly address: string | undefined;
}

/** What an entry takes beside its text and tags: objects and index places, measured roughly. */
const ENTRY_BYTES = 600;
const TAG_BYTES = 160;

/** An event and its text (`eventText`) as an entry. */
export function entryOf(event: NostrEvent, text: string): Entry {
  const { id, pubkey, created_at, kind, tags } = event;
  return { id, pubkey, created_at, kind, tags, text, address: addressOf(event) };
}

/** An entry from a text that is already trusted, since it came from store or the database. */
export function entryOfText(text: string): Entry {
  return entryOf(JSON.parse(text) as NostrEvent, text);
}

/** About how many bytes of memory an entry takes: a bound, not a measure. */
export function entryBytes(entry: Entry): number {
  return ENTRY_BYTES + entry.text.length * 2 + entry.tags.length * TAG_BYTES;
}
