import { isDeletable, KIND_DELETION } from '../nostr/kinds.ts';
import type { Entry } from './entry.ts';

/** What is needed of an event to say whether another one supersedes or deletes it. */
export type Version = Pick<Entry, 'id' | 'pubkey' | 'created_at' | 'kind' | 'address'>;

/** Of two versions of one event: true when the first is the one to keep (NIP-01). */
export function isNewer(
  a: Pick<Entry, 'created_at' | 'id'>,
  b: Pick<Entry, 'created_at' | 'id'>,
): boolean {
  return a.created_at > b.created_at || (a.created_at === b.created_at && a.id < b.id);
}

/** True for a kind 5 that names anything (NIP-09). */
export const isDeletionRequest = ({ kind, tags }: Entry): boolean =>
  kind === KIND_DELETION &&
  tags.some(([name, value]) => value !== undefined && (name === 'e' || name === 'a'));

/**
 * True when a known deletion request of the author names this event by id, or its address at or
 * after its time (NIP-09). `tagged` gives known events by tag value.
 */
export function isDeletedBy(
  event: Version,
  tagged: (letter: string, value: string) => readonly Entry[],
): boolean {
  if (!isDeletable(event.kind)) return false;
  const byId = tagged('e', event.id).some((by) => isDeletionOf(by, event));
  if (byId || event.address === undefined) return byId;
  return tagged('a', event.address).some(
    (by) => isDeletionOf(by, event) && by.created_at >= event.created_at,
  );
}

function isDeletionOf(by: Entry, event: Version): boolean {
  return by.kind === KIND_DELETION && by.pubkey === event.pubkey;
}
