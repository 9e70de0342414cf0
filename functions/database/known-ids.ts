import type pg from 'pg';
import { plainArray } from './array.ts';
import { eventKey } from './keys.ts';
import { withSession } from './session.ts';

/**
 * Which of these events the database need not be given: it holds them, or their author deleted
 * them. One index probe an id and table.
 */
export async function knownIds(pool: pg.Pool, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  const byKey = new Map(ids.map((id) => [eventKey(id), id]));
  const rows = await withSession(pool, async (client) => {
    const result = await client.query<{ key: string }>({
      name: 'known-ids',
      text: `
        select key from unnest($1::uuid[]) as given(key)
        where exists (select from events e where e.key = given.key)
          or exists (select from kept k where k.key = given.key)
          or exists (select from deleted_ids d where d.key = given.key)`,
      values: [plainArray(byKey.keys())],
    });
    return result.rows;
  });
  const known = new Set<string>();
  for (const { key } of rows) {
    const id = byKey.get(key.replaceAll('-', ''));
    if (id !== undefined) known.add(id);
  }
  return known;
}
