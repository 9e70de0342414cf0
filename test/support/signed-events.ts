import { finalizeEvent } from 'nostr-tools/pure';
import type { NostrEvent } from '../../functions/nostr/event.ts';

/** A secret key for tests; nobody's. */
export const testKey = (number: number): Uint8Array => {
  const key = new Uint8Array(32);
  new DataView(key.buffer).setUint32(28, number);
  return key;
};

export interface EventWishes {
  readonly kind?: number;
  readonly created_at?: number;
  readonly tags?: string[][];
  readonly content?: string;
  /** Number of the test key that signs; 1 by default. */
  readonly key?: number;
}

/** A genuine event, signed. */
export function signedEvent(wishes: EventWishes = {}): NostrEvent {
  const { id, pubkey, created_at, kind, tags, content, sig } = finalizeEvent(
    {
      kind: wishes.kind ?? 1,
      created_at: wishes.created_at ?? 1_700_000_000,
      tags: wishes.tags ?? [],
      content: wishes.content ?? '',
    },
    testKey(wishes.key ?? 1),
  );
  return { id, pubkey, created_at, kind, tags, content, sig };
}
