import type pg from 'pg';
import { idOfText, isHex64, type NostrEvent, parseAddress } from '../nostr/event.ts';
import { KIND_DELETION } from '../nostr/kinds.ts';
import { plainArray } from './array.ts';
import { type AddressLimit, addressName, type BatchEvent, furthest } from './batch.ts';
import { authorKey, dKey, eventKey, type Key, LOWEST_KEY, tagKeysOf } from './keys.ts';

/**
 * NIP-09. The end state depends on the set of events alone, not on the order they come in:
 * whoever deletes by id the version of an address also ends all older ones, since that version
 * would have superseded them.
 */

/** An event that left, and the id of the event that made it leave, where one event did. */
export interface Removed {
  readonly id: string;
  readonly by: string;
}

interface IdTarget {
  readonly key: Key;
  readonly author: Key;
  readonly by: string;
}

type NamedLimit = AddressLimit & { readonly by: string };

/** Writes the tombstones of the batch's deletion requests and removes what they name. */
export async function applyRequests(
  client: pg.ClientBase,
  batch: readonly BatchEvent[],
): Promise<Removed[]> {
  const requests = batch.filter(({ event }) => event.kind === KIND_DELETION);
  if (requests.length === 0) return [];
  const ids = new Map<string, IdTarget>();
  const limits: NamedLimit[] = [];
  for (const { event, author } of requests) {
    for (const [letter, value] of event.tags) {
      if (letter === 'e' && isHex64(value)) {
        const key = eventKey(value);
        ids.set(key + author, { key, author, by: event.id });
      }
      const limit = letter === 'a' && value !== undefined ? limitOf(event, value) : undefined;
      if (limit !== undefined) limits.push(limit);
    }
  }
  return [
    ...(await deleteIds(client, [...ids.values()])),
    ...(await limitAddresses(client, limits)),
  ];
}

/** What an `a` tag of a request ends; undefined where it names no address of the requester. */
function limitOf(request: NostrEvent, value: string): NamedLimit | undefined {
  const address = parseAddress(value);
  if (address === undefined || address.pubkey !== request.pubkey) return undefined;
  return {
    author: authorKey(address.pubkey),
    kind: address.kind,
    d: dKey(address.d),
    createdAt: request.created_at,
    key: LOWEST_KEY,
    by: request.id,
  };
}

async function deleteIds(client: pg.ClientBase, targets: readonly IdTarget[]): Promise<Removed[]> {
  if (targets.length === 0) return [];
  const keys = plainArray(targets.map(({ key }) => key));
  const authors = plainArray(targets.map(({ author }) => author));
  await client.query({
    name: 'tombstone-ids',
    text: `insert into deleted_ids (key, author)
      select key, author from unnest($1::uuid[], $2::uuid[]) as given(key, author)
      order by key, author
      on conflict do nothing`,
    values: [keys, authors],
  });
  const by = new Map(targets.map((target) => [target.key + target.author, target.by]));
  const regular = await client.query<{ text: string }>({
    name: 'delete-events',
    text: `delete from events e using unnest($1::uuid[], $2::uuid[]) as given(key, author)
      where e.key = given.key and e.author = given.author
      returning e.text`,
    values: [keys, authors],
  });
  await deleteEventTags(client, tagRowsOf(regular.rows.map(({ text }) => text)));
  const versions = await client.query<VersionRow>({
    name: 'delete-kept-by-id',
    text: `delete from kept k using unnest($1::uuid[], $2::uuid[]) as given(key, author)
      where k.key = given.key and k.author = given.author and k.kind not in (5, 62)
      returning k.text, k.kind, k.d, k.created_at`,
    values: [keys, authors],
  });
  await deleteKeptTags(client, versions.rows);
  await writeLimits(client, versions.rows.map(limitOfRow));
  return [...regular.rows, ...versions.rows].map(({ text }) => {
    const event = JSON.parse(text) as NostrEvent;
    return { id: event.id, by: by.get(eventKey(event.id) + authorKey(event.pubkey)) ?? event.id };
  });
}

interface VersionRow {
  readonly text: string;
  readonly kind: number;
  readonly d: string;
  readonly created_at: string;
}

function limitOfRow({ text, kind, d, created_at }: VersionRow): AddressLimit {
  const { id, pubkey } = JSON.parse(text) as NostrEvent;
  return {
    author: authorKey(pubkey),
    kind,
    d: d.replaceAll('-', ''),
    createdAt: Number(created_at),
    key: eventKey(id),
  };
}

/** Columns of the tags of some events, as lists. */
export interface TagRows {
  readonly tags: Key[];
  readonly times: number[];
  readonly keys: Key[];
  readonly kinds: number[];
}

/** The tags of some events, by what their texts say. */
export function tagRowsOf(texts: readonly string[]): TagRows {
  const rows: TagRows = { tags: [], times: [], keys: [], kinds: [] };
  for (const text of texts) {
    const event = JSON.parse(text) as NostrEvent;
    for (const tag of tagKeysOf(event)) {
      rows.tags.push(tag);
      rows.times.push(event.created_at);
      rows.keys.push(eventKey(event.id));
      rows.kinds.push(event.kind);
    }
  }
  return rows;
}

/** The tag table of regular events has no index by key: the tags are found by what they say. */
export async function deleteEventTags(
  client: pg.ClientBase,
  { tags, times, keys }: TagRows,
  table = 'event_tags',
): Promise<void> {
  if (tags.length === 0) return;
  await client.query({
    ...(table === 'event_tags' && { name: 'delete-event-tags' }),
    text: `delete from ${table} t
      using unnest($1::uuid[], $2::bigint[], $3::uuid[]) as given(tag, created_at, key)
      where t.tag = given.tag and t.created_at = given.created_at and t.key = given.key`,
    values: [plainArray(tags), plainArray(times), plainArray(keys)],
  });
}

async function deleteKeptTags(
  client: pg.ClientBase,
  rows: readonly { readonly text: string }[],
): Promise<void> {
  if (rows.length === 0) return;
  await client.query({
    name: 'delete-kept-tags',
    text: 'delete from kept_tags where key = any($1::uuid[])',
    values: [plainArray(rows.map(({ text }) => eventKey(idOfText(text))))],
  });
}

/**
 * Ends all versions up to the limits, the ones that come later too, and removes those stored.
 * The caller holds the authors' buckets exclusively.
 */
export async function limitAddresses(
  client: pg.ClientBase,
  given: readonly NamedLimit[],
): Promise<Removed[]> {
  if (given.length === 0) return [];
  const limits = furthest(given);
  await writeLimits(client, limits);
  const gone = await client.query<VersionRow & { author: string }>({
    name: 'delete-kept-by-address',
    text: `delete from kept k
      using unnest($1::uuid[], $2::int[], $3::uuid[], $4::bigint[], $5::uuid[])
        as given(author, kind, d, created_at, key)
      where k.author = given.author and k.kind = given.kind and k.d = given.d
        and (k.created_at < given.created_at
          or (k.created_at = given.created_at and k.key >= given.key))
      returning k.text, k.author, k.kind, k.d, k.created_at`,
    values: limitColumns(limits),
  });
  await deleteKeptTags(client, gone.rows);
  const by = new Map(given.map((limit) => [addressName(limit), limit.by]));
  return gone.rows.map((row) => {
    const at = limitOfRow(row);
    return { id: idOfText(row.text), by: by.get(addressName(at)) ?? idOfText(row.text) };
  });
}

async function writeLimits(client: pg.ClientBase, given: readonly AddressLimit[]): Promise<void> {
  if (given.length === 0) return;
  await client.query({
    name: 'tombstone-addresses',
    text: `insert into deleted_addresses as t (author, kind, d, created_at, key)
      select author, kind, d, created_at, key
      from unnest($1::uuid[], $2::int[], $3::uuid[], $4::bigint[], $5::uuid[])
        as given(author, kind, d, created_at, key)
      order by author, kind, d
      on conflict (author, kind, d) do update
      set created_at = excluded.created_at, key = excluded.key
      where excluded.created_at > t.created_at
        or (excluded.created_at = t.created_at and excluded.key < t.key)`,
    values: limitColumns(furthest(given)),
  });
}

const limitColumns = (limits: readonly AddressLimit[]): string[] => [
  plainArray(limits.map(({ author }) => author)),
  plainArray(limits.map(({ kind }) => kind)),
  plainArray(limits.map(({ d }) => d)),
  plainArray(limits.map(({ createdAt }) => createdAt)),
  plainArray(limits.map(({ key }) => key)),
];
