import type pg from 'pg';
import { plainArray } from './array.ts';
import { addressName, type BatchEvent } from './batch.ts';
import { eventKey, type Key, tagKeysOf } from './keys.ts';

/** A version that a newer one, `by`, has replaced. */
export interface Replaced {
  readonly id: string;
  readonly by: string;
}

/**
 * Inserts regular events and their tags; `stored_at` is the table's own to fill. Returns the keys of
 * those that were not there yet.
 */
export async function insertRegular(
  client: pg.ClientBase,
  events: readonly BatchEvent[],
): Promise<Set<Key>> {
  if (events.length === 0) return new Set();
  const { rows } = await client.query<[string]>({
    name: 'insert-events',
    // In the order of keys, so that two batches with the same events never wait for each other.
    text: `with added as (
        insert into events (created_at, key, author, kind, text, seen_from, seen_at)
        select created_at, key, author, kind, text, seen_from, seen_at
        from unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::int[], $5::text[], $6::int[],
            $7::bigint[])
          as given(created_at, key, author, kind, text, seen_from, seen_at)
        order by key
        on conflict do nothing
        returning key, created_at, kind
      ), tagged as (
        insert into event_tags (tag, created_at, key, kind)
        select tag, created_at, key, kind
        from added join unnest($8::uuid[], $9::uuid[]) as given(key, tag) using (key)
      )
      select replace(key::text, '-', '') from added`,
    values: [...eventColumns(events), ...tagColumns(events)],
    rowMode: 'array',
  });
  return new Set(rows.map(([key]) => key));
}

/** What became of versions, and of kinds 5 and 62. */
export interface KeptResult {
  readonly stored: BatchEvent[];
  readonly replaced: Replaced[];
  /** Ids of those that are not stored, and why. */
  readonly refused: Map<string, 'duplicate' | 'superseded'>;
}

/** Inserts events that are kept, at most one an address, where they are newer than what is there. */
export async function insertKept(
  client: pg.ClientBase,
  events: readonly BatchEvent[],
): Promise<KeptResult> {
  const refused = new Map<string, 'duplicate' | 'superseded'>();
  if (events.length === 0) return { stored: [], replaced: [], refused };
  const { rows } = await client.query<[Key, string | null]>({
    name: 'insert-kept',
    text: `insert into kept as k (created_at, key, author, kind, text, seen_from, seen_at, d)
      select created_at, key, author, kind, text, seen_from, seen_at, d
      from unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::int[], $5::text[], $6::int[],
          $7::bigint[], $8::uuid[])
        as given(created_at, key, author, kind, text, seen_from, seen_at, d)
      order by author, kind, d
      on conflict (author, kind, d) do update
      set created_at = excluded.created_at, key = excluded.key, text = excluded.text,
        seen_from = excluded.seen_from, seen_at = excluded.seen_at,
        stored_at = excluded.stored_at,
        replaced = substr(k.text, 8, 64)
      where excluded.created_at > k.created_at
        or (excluded.created_at = k.created_at and excluded.key < k.key)
      returning replace(key::text, '-', ''), replaced`,
    values: [...eventColumns(events), plainArray(events.map(({ d }) => d ?? 'null'))],
    rowMode: 'array',
  });
  const before = new Map(rows);
  const stored = events.filter(({ key }) => before.has(key));
  const replaced = stored.flatMap(({ key, event }) => {
    const id = before.get(key);
    return typeof id === 'string' ? [{ id, by: event.id }] : [];
  });
  await exchangeTags(client, stored, replaced);
  await explain(
    client,
    events.filter(({ key }) => !before.has(key)),
    refused,
  );
  return { stored, replaced, refused };
}

/**
 * A statement of its own, since the upsert may have waited for a writer whose tags only a later
 * snapshot sees.
 */
async function exchangeTags(
  client: pg.ClientBase,
  stored: readonly BatchEvent[],
  replaced: readonly Replaced[],
): Promise<void> {
  if (stored.length === 0) return;
  await client.query({
    name: 'exchange-kept-tags',
    text: `with gone as (delete from kept_tags where key = any($1::uuid[]))
      insert into kept_tags (tag, created_at, key, kind)
      select tag, created_at, key, kind
      from unnest($2::uuid[], $3::bigint[], $4::int[]) as added(key, created_at, kind)
      join unnest($5::uuid[], $6::uuid[]) as given(key, tag) using (key)`,
    values: [
      plainArray(replaced.map(({ id }) => eventKey(id))),
      plainArray(stored.map(({ key }) => key)),
      plainArray(stored.map(({ event }) => event.created_at)),
      plainArray(stored.map(({ event }) => event.kind)),
      ...tagColumns(stored),
    ],
  });
}

/** What was not newer is either there already or older than what is there. */
async function explain(
  client: pg.ClientBase,
  events: readonly BatchEvent[],
  refused: Map<string, 'duplicate' | 'superseded'>,
): Promise<void> {
  if (events.length === 0) return;
  const { rows } = await client.query<[Key, number, Key, Key]>({
    name: 'read-kept',
    text: `select replace(k.author::text, '-', ''), k.kind, replace(k.d::text, '-', ''),
        replace(k.key::text, '-', '')
      from unnest($1::uuid[], $2::int[], $3::uuid[]) as given(author, kind, d)
      join kept k on k.author = given.author and k.kind = given.kind and k.d = given.d`,
    values: [
      plainArray(events.map(({ author }) => author)),
      plainArray(events.map(({ event }) => event.kind)),
      plainArray(events.map(({ d }) => d ?? 'null')),
    ],
    rowMode: 'array',
  });
  const there = new Map(
    rows.map(([author, kind, d, key]) => [addressName({ author, kind, d }), key]),
  );
  for (const { author, event, d, key } of events) {
    const name = d === undefined ? '' : addressName({ author, kind: event.kind, d });
    refused.set(event.id, there.get(name) === key ? 'duplicate' : 'superseded');
  }
}

const eventColumns = (events: readonly BatchEvent[]): (string | string[])[] => [
  plainArray(events.map(({ event }) => event.created_at)),
  plainArray(events.map(({ key }) => key)),
  plainArray(events.map(({ author }) => author)),
  plainArray(events.map(({ event }) => event.kind)),
  events.map(({ text }) => text),
  plainArray(events.map(({ seen }) => seen?.seenFrom ?? 'null')),
  plainArray(events.map(({ seen }) => seen?.seenAt ?? 'null')),
];

/** Two columns: key of the event, tag. */
function tagColumns(events: readonly BatchEvent[]): [string, string] {
  const keys: Key[] = [];
  const tags: Key[] = [];
  for (const { event, key } of events) {
    for (const tag of tagKeysOf(event)) {
      keys.push(key);
      tags.push(tag);
    }
  }
  return [plainArray(keys), plainArray(tags)];
}
