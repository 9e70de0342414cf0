import { decode } from 'nostr-tools/nip19';
import { isHex64 } from '../nostr/event.ts';
import { usageFailure } from './exit.ts';

/** The id that a text stands for: hex, note or nevent; undefined where it is none of these. */
export function eventIdOf(text: string): string | undefined {
  if (isHex64(text.toLowerCase())) return text.toLowerCase();
  try {
    const { type, data } = decode(text);
    if (type === 'note') return data;
    if (type === 'nevent') return data.id;
  } catch {
    // It is none, then.
  }
  return undefined;
}

/** @throws a failure of usage for what is no id. */
export function readEventId(text: string): string {
  const id = eventIdOf(text);
  if (id !== undefined) return id;
  throw usageFailure(
    `no event id: ${text.slice(0, 100)} (wanted: 64 hex characters, note or nevent)`,
  );
}

/** A public key as hex or npub. */
export function readAuthor(text: string): string {
  if (isHex64(text.toLowerCase())) return text.toLowerCase();
  try {
    const { type, data } = decode(text);
    if (type === 'npub') return data;
    if (type === 'nprofile') return data.pubkey;
  } catch {
    // Said below.
  }
  throw usageFailure(`no public key: ${text.slice(0, 100)} (wanted: 64 hex characters or npub)`);
}
