import type pg from 'pg';
import { plainArray } from './array.ts';
import { currentPosition } from './changes.ts';
import { deleteEventTags, tagRowsOf } from './deletions.ts';
import type { Key } from './keys.ts';
import { madeOf, type Running } from './rewrite-plan.ts';

/** Changes that one transaction brings over while others write. */
const CHANGES_A_STEP = 5_000;

/** As many of the log as may be left for who has a table to himself: a fraction of a second. */
export const CHANGES_LEFT_MAX = 1_000;

/** Whether little enough has come into the log since the last time, be it of other times too. */
export async function fewAreLeft(
  database: pg.Pool | pg.ClientBase,
  { position }: Pick<Running, 'position'>,
): Promise<boolean> {
  const { rows } = await database.query<{ few: boolean }>(
    `select count(*) <= ${CHANGES_LEFT_MAX} as few from (
      select from changes where transaction >= $1::text::xid8 limit ${CHANGES_LEFT_MAX} + 1
    ) as left_over`,
    [String(position)],
  );
  return rows[0]?.few === true;
}

/**
 * Makes every event that the changes log names since the last time the same in the copy as it is
 * in the sources; doing so twice does no harm. `all` is for who has a table to himself: whatever
 * its writers did is then in the log, and few are left.
 * @returns where the next time begins, and whether that is now.
 */
export async function bringOver(
  client: pg.ClientBase,
  running: Running,
  howMany: 'some' | 'all',
): Promise<{ readonly position: number; readonly complete: boolean }> {
  const now = await currentPosition(client);
  const { from, to } = running.target;
  const bound = howMany === 'all' ? '' : `and transaction < '${now}'`;
  const most = howMany === 'all' ? '' : `fetch first ${CHANGES_A_STEP} rows with ties`;
  // Also what is of other times: were only what concerns us counted, a step could read all the log.
  const { rows } = await client.query<{ transaction: string; key: Key | null }>(
    `select transaction, case when what = 'r' or what = 'a' and created_at >= $2 and created_at < $3
        then left(id, 32) end as key
      from changes where transaction >= $1::text::xid8 ${bound}
      order by transaction ${most}`,
    [String(running.position), Math.max(0, from), to],
  );
  const keys = new Set(rows.flatMap(({ key }) => key ?? []));
  if (keys.size > 0) await renew(client, running, keys);
  const last = rows.at(-1)?.transaction;
  const complete = howMany === 'all' || last === undefined || rows.length < CHANGES_A_STEP;
  return { position: complete ? now : Number(last) + 1, complete };
}

interface TextRow {
  readonly text: string;
}

async function renew(
  client: pg.ClientBase,
  running: Running,
  keys: ReadonlySet<Key>,
): Promise<void> {
  const made = madeOf('events', running);
  const values = [plainArray(keys)];
  const gone = `kind = any('${plainArray(running.kinds)}'::int[])`;
  const copied = await client.query<TextRow>(
    `delete from ${made} where key = any($1::uuid[]) returning text`,
    values,
  );
  const current: string[] = [];
  for (const source of running.parts.events) {
    const { rows } = await client.query<TextRow>(
      `insert into ${made} select * from ${source} where key = any($1::uuid[]) and not ${gone}
        on conflict do nothing returning text`,
      values,
    );
    current.push(...rows.map(({ text }) => text));
  }
  if (running.phase !== 'events') {
    // Those of the copy are all known by now: it has no tag without its event.
    const texts = new Set([...copied.rows.map(({ text }) => text), ...current]);
    await renewTags(client, madeOf('event_tags', running), texts, current);
    return;
  }
  // The tags are exchanged already; those of late events that go with their kind are among them.
  // The event is locked first, as by who deletes it, so that its tags need not be waited for.
  for (const source of running.parts.events) {
    const { rows } = await client.query<TextRow>(
      `select text from ${source} where key = any($1::uuid[]) and ${gone} for update`,
      values,
    );
    await deleteEventTags(client, tagRowsOf(rows.map(({ text }) => text)));
  }
}

/** @param texts of all events that were copied or are in the sources now. */
async function renewTags(
  client: pg.ClientBase,
  made: string,
  texts: ReadonlySet<string>,
  current: readonly string[],
): Promise<void> {
  await deleteEventTags(client, tagRowsOf([...texts]), made);
  const { tags, times, keys, kinds } = tagRowsOf(current);
  if (tags.length === 0) return;
  await client.query(
    `insert into ${made} (tag, created_at, key, kind)
      select * from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::int[])`,
    [plainArray(tags), plainArray(times), plainArray(keys), plainArray(kinds)],
  );
}
