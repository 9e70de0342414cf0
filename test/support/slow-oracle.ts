import type { NostrEvent } from '../../functions/nostr/event.ts';

/**
 * What a relay must answer, said in the plainest way there is: loops over lists, no index, no
 * state, nothing shared with the code under test but the event's type. Slow on purpose.
 */

/** A filter as clients write it in JSON. */
export interface PlainFilter {
  readonly ids?: readonly string[];
  readonly authors?: readonly string[];
  readonly kinds?: readonly number[];
  readonly since?: number;
  readonly until?: number;
  readonly limit?: number;
  readonly [tag: `#${string}`]: readonly string[] | undefined;
}

/** True when the event meets every condition of the filter. */
export function matches(filter: PlainFilter, event: NostrEvent): boolean {
  const conditions: boolean[] = [];
  if (filter.ids) conditions.push(filter.ids.some((id) => id === event.id));
  if (filter.authors) conditions.push(filter.authors.some((author) => author === event.pubkey));
  if (filter.kinds) conditions.push(filter.kinds.some((kind) => kind === event.kind));
  if (filter.since !== undefined) conditions.push(filter.since <= event.created_at);
  if (filter.until !== undefined) conditions.push(event.created_at <= filter.until);
  for (const letter of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ') {
    const wanted = filter[`#${letter}`];
    if (!wanted) continue;
    const given = event.tags.filter((tag) => tag[0] === letter && tag.length > 1);
    conditions.push(given.some((tag) => wanted.some((value) => value === tag[1])));
  }
  return conditions.every((met) => met);
}

/** Newest first; of two in one second the one with the lowest id first. */
export function inOrder(events: readonly NostrEvent[]): NostrEvent[] {
  return [...events].sort((a, b) => {
    if (a.created_at !== b.created_at) return b.created_at - a.created_at;
    return a.id < b.id ? -1 : 1;
  });
}

/**
 * The stored events that a REQ with these filters gets, in order, each once: per filter the
 * newest `limit` of what remains (`limitMax` where the filter asks for more or names none).
 */
export function answer(
  remainingEvents: readonly NostrEvent[],
  filters: readonly PlainFilter[],
  limitMax: number,
): NostrEvent[] {
  const found = new Map<string, NostrEvent>();
  for (const filter of filters) {
    const matching = inOrder(remainingEvents.filter((event) => matches(filter, event)));
    const limit = Math.min(filter.limit ?? limitMax, limitMax);
    for (const event of matching.slice(0, limit)) found.set(event.id, event);
  }
  return inOrder([...found.values()]);
}

/**
 * What a relay must still hold after taking these events in any order, as often as you like, in
 * the order of a REQ's answer. The result depends on the set of events alone:
 * - ephemeral events are gone;
 * - an event is deleted when its author's kind 5 names its id in an `e` tag, or its address in
 *   an `a` tag with a `created_at` not before the event's; kinds 5 and 62 cannot be deleted;
 * - of the versions at one address the newest counts, of two in one second the lowest id. A
 *   deleted version counts too: where it is the newest, nothing is left at the address.
 * Signatures are not looked at, and expiration is just a tag.
 */
export function remaining(events: readonly NostrEvent[]): NostrEvent[] {
  const all = inOrder([...new Map(events.map((event) => [event.id, event])).values()]);
  const requests = all.filter((event) => event.kind === 5);
  const newest = new Map<string, NostrEvent>();
  for (const event of all) {
    const address = plainAddress(event);
    if (address !== undefined && !newest.has(address)) newest.set(address, event);
  }
  return all.filter((event) => {
    if (event.kind >= 20_000 && event.kind < 30_000) return false;
    if (isDeleted(event, requests)) return false;
    const address = plainAddress(event);
    return address === undefined || newest.get(address) === event;
  });
}

function isDeleted(event: NostrEvent, requests: readonly NostrEvent[]): boolean {
  if (event.kind === 5 || event.kind === 62) return false;
  const address = plainAddress(event);
  return requests.some((request) => {
    if (request.pubkey !== event.pubkey) return false;
    return request.tags.some((tag) => {
      if (tag[0] === 'e') return tag[1] === event.id;
      if (tag[0] !== 'a' || address === undefined) return false;
      return tag[1] === address && event.created_at <= request.created_at;
    });
  });
}

function plainAddress(event: NostrEvent): string | undefined {
  const { kind, pubkey, tags } = event;
  if (kind === 0 || kind === 3 || (kind >= 10_000 && kind < 20_000)) return `${kind}:${pubkey}:`;
  if (kind < 30_000 || kind >= 40_000) return undefined;
  const first = tags.find((tag) => tag[0] === 'd');
  return `${kind}:${pubkey}:${first?.[1] ?? ''}`;
}
