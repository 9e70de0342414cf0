import type pg from 'pg';
import { dTag, type NostrEvent } from '../nostr/event.ts';
import { isVersioned, kindClass } from '../nostr/kinds.ts';
import { plainArray } from './array.ts';
import { authorKey, dKey, eventKey } from './keys.ts';
import { withSession } from './session.ts';

/**
 * The ids of those events that the database need not be given: it holds them or a newer version of
 * them, or their author deleted them by id or by address. A few index probes an event.
 */
export async function knownIds(pool: pg.Pool, events: readonly NostrEvent[]): Promise<Set<string>> {
  if (events.length === 0) return new Set();
  const rows = await withSession(pool, async (client) => {
    const result = await client.query<{ n: string }>({
      name: 'known-ids',
      text: `
        select n from unnest($1::uuid[], $2::uuid[], $3::int[], $4::uuid[], $5::bigint[])
          with ordinality as given(key, author, kind, d, created_at, n)
        where exists (select from events e where e.key = given.key)
          or exists (select from kept k where k.key = given.key)
          or exists (select from deleted_ids x where x.key = given.key and x.author = given.author)
          or exists (select from kept k
            where k.author = given.author and k.kind = given.kind and k.d = given.d
              and (k.created_at, given.key) > (given.created_at, k.key))
          or exists (select from deleted_addresses a
            where a.author = given.author and a.kind = given.kind and a.d = given.d
              and (a.created_at, given.key) >= (given.created_at, a.key))`,
      values: [
        plainArray(events.map(({ id }) => eventKey(id))),
        plainArray(events.map(({ pubkey }) => authorKey(pubkey))),
        plainArray(events.map(({ kind }) => kind)),
        plainArray(events.map((event) => placeOf(event) ?? 'null')),
        plainArray(events.map(({ created_at }) => created_at)),
      ],
    });
    return result.rows;
  });
  return new Set(rows.map(({ n }) => events[Number(n) - 1]!.id));
}

/** Where an event's versions compete; regular events have none. */
function placeOf(event: NostrEvent): string | undefined {
  if (!isVersioned(event.kind)) return undefined;
  return dKey(kindClass(event.kind) === 'addressable' ? dTag(event) : '');
}
