import type { NostrEvent } from '../../functions/nostr/event.ts';
import { secretKeyOf, signEvent } from './keys.ts';

export interface EventWishes {
  readonly kind?: number;
  readonly created_at?: number;
  readonly tags?: readonly (readonly string[])[];
  readonly content?: string;
  /** Seed of the key that signs; 1 by default. */
  readonly key?: number;
}

/** A genuine event, signed, for tests that care about little of it. */
export const signedEvent = ({ key = 1, ...wishes }: EventWishes = {}): NostrEvent =>
  signEvent({ kind: 1, created_at: 1_700_000_000, ...wishes }, secretKeyOf(key));
