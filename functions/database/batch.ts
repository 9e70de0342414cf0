import { dTag, type NostrEvent } from '../nostr/event.ts';
import { isVersioned, kindClass } from '../nostr/kinds.ts';
import { authorKey, dKey, eventKey, isKeptKind, type Key, LOWEST_KEY } from './keys.ts';

/** Where an event was first seen, and when. */
export interface Seen {
  /** The source that gave it; absent where a client published it. */
  readonly seenFrom?: number;
  /** When we took it: Unix time in milliseconds. */
  readonly seenAt: number;
}

/** An event to write, and its text as `eventText` made it. */
export interface NewEvent {
  readonly event: NostrEvent;
  readonly text: string;
  readonly seen?: Seen;
}

/** An event of a batch with its keys. */
export interface BatchEvent extends NewEvent {
  readonly key: Key;
  readonly author: Key;
  /** Where its versions compete; undefined for regular events. */
  readonly d: Key | undefined;
  /** True for replaceable and addressable events; false for kinds 5 and 62, also where kept. */
  readonly versioned: boolean;
}

/** A version at an address, or everything up to it. */
export interface AddressLimit {
  readonly author: Key;
  readonly kind: number;
  readonly d: Key;
  readonly createdAt: number;
  readonly key: Key;
}

/** The events of a batch, each id once, in the order of their first occurrence, which counts. */
export function prepareBatch(events: readonly NewEvent[]): BatchEvent[] {
  const batch = new Map<string, BatchEvent>();
  for (const { event, text, seen } of events) {
    if (batch.has(event.id)) continue;
    if (kindClass(event.kind) === 'ephemeral') {
      throw new RangeError(`kind ${event.kind} is ephemeral: such events are not for the database`);
    }
    const key = eventKey(event.id);
    const versioned = isVersioned(event.kind);
    let d: Key | undefined;
    if (versioned) d = dKey(kindClass(event.kind) === 'addressable' ? dTag(event) : '');
    else if (isKeptKind(event.kind)) d = key;
    const author = authorKey(event.pubkey);
    batch.set(event.id, { event, text, key, author, d, versioned, ...(seen && { seen }) });
  }
  return [...batch.values()];
}

/** Names an address in maps. */
export const addressName = (at: { author: Key; kind: number; d: Key }): string =>
  `${at.kind}:${at.author}:${at.d}`;

/** The place of a versioned event among the versions at its address. */
export function versionOf({ author, event, d, key }: BatchEvent): AddressLimit {
  return { author, kind: event.kind, d: d ?? LOWEST_KEY, createdAt: event.created_at, key };
}

/** True where `a` is a newer version than `b`: later, or in the same second with the lower id. */
export const isNewer = (
  a: Pick<AddressLimit, 'createdAt' | 'key'>,
  b: Pick<AddressLimit, 'createdAt' | 'key'>,
): boolean => a.createdAt > b.createdAt || (a.createdAt === b.createdAt && a.key < b.key);

/** Of several limits at one address the one that reaches furthest, in the order of the table. */
export function furthest(limits: Iterable<AddressLimit>): AddressLimit[] {
  const by = new Map<string, AddressLimit>();
  for (const limit of limits) {
    const name = addressName(limit);
    const other = by.get(name);
    if (other === undefined || isNewer(limit, other)) by.set(name, limit);
  }
  return [...by.values()];
}
