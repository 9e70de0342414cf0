import type pg from 'pg';
import { plainArray } from './array.ts';
import { authorKey, eventKey } from './keys.ts';
import { withSession } from './session.ts';

/**
 * The ids of those events that the database need not be given: it holds them, or their author
 * deleted them by id. One index probe an event and table.
 */
export async function knownIds(
  pool: pg.Pool,
  events: readonly { readonly id: string; readonly pubkey: string }[],
): Promise<Set<string>> {
  if (events.length === 0) return new Set();
  const rows = await withSession(pool, async (client) => {
    const result = await client.query<{ n: string }>({
      name: 'known-ids',
      text: `
        select n from unnest($1::uuid[], $2::uuid[]) with ordinality as given(key, author, n)
        where exists (select from events e where e.key = given.key)
          or exists (select from kept k where k.key = given.key)
          or exists (select from deleted_ids d where d.key = given.key and d.author = given.author)`,
      values: [
        plainArray(events.map(({ id }) => eventKey(id))),
        plainArray(events.map(({ pubkey }) => authorKey(pubkey))),
      ],
    });
    return result.rows;
  });
  return new Set(rows.map(({ n }) => events[Number(n) - 1]!.id));
}
