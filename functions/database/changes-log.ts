import type pg from 'pg';
import { alone } from './alone.ts';

const DAY_MS = 86_400_000;

const dayName = (day: Date): string => `d${day.toISOString().slice(0, 10).replaceAll('-', '')}`;
const dayStart = (ms: number): Date => new Date(Math.floor(ms / DAY_MS) * DAY_MS);

/** Makes the log's partition up to the end of tomorrow, so that trimming is a DROP. */
export async function makeLogDay(pool: pg.Pool, nowMs: number): Promise<boolean> {
  const name = `changes_${dayName(dayStart(nowMs + DAY_MS))}`;
  // Mostly it is there; a lock for that would stop all writers at every run.
  if (await isThere(pool, name)) return false;
  return alone(pool, 'changes', ['changes_after'], async (client) => {
    if (await isThere(client, name)) return false;
    // The new partition begins where the catch-all begins now, however long nobody made a day, so
    // that no time is without one: the catch-all, with what lies in it, becomes that partition.
    const { rows: bounds } = await client.query<{ bound: string }>(
      "select pg_get_expr(relpartbound, oid) as bound from pg_class where oid = 'changes_after'::regclass",
    );
    const from = /FROM \('([^']+)'\)/.exec(bounds[0]?.bound ?? '')?.[1];
    if (from === undefined) throw new Error('the catch-all of the changes log has no lower bound');
    const to = dayStart(nowMs + 2 * DAY_MS).toISOString();
    await client.query('alter table changes detach partition changes_after');
    await client.query(`alter table changes_after rename to ${name}`);
    await client.query(
      `alter table changes attach partition ${name} for values from ('${from}') to ('${to}')`,
    );
    await client.query(
      `create table changes_after partition of changes for values from ('${to}') to (maxvalue)`,
    );
    return true;
  });
}

async function isThere(database: pg.Pool | pg.ClientBase, name: string): Promise<boolean> {
  const { rows } = await database.query(
    `select from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'changes'::regclass and c.relname = $1`,
    [name],
  );
  return rows.length > 0;
}

/**
 * Drops the days of the log that ended before `keepHours` ago. Readers whose position is older are
 * told that the log does not reach back and load a snapshot. A day stays while somebody cannot have
 * read it, however late he is: no reader comes further than the oldest transaction that still
 * writes, and a rewrite whose tags are exchanged cannot begin anew.
 */
export async function trimLog(
  pool: pg.Pool,
  nowMs: number,
  keepHours: number,
  signal?: AbortSignal,
): Promise<number> {
  const endedBefore = nowMs - keepHours * 3_600_000;
  const { rows } = await pool.query<{ name: string; bound: string }>(`
    select c.relname as name, pg_get_expr(c.relpartbound, c.oid) as bound
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'changes'::regclass`);
  let dropped = 0;
  for (const { name, bound } of rows) {
    if (signal?.aborted === true) break;
    const end = /TO \('([^']+)'\)/.exec(bound)?.[1];
    if (name === 'changes_before' || end === undefined) continue;
    if (Date.parse(end.replace(/([+-]\d\d)$/, '$1:00')) > endedBefore) continue;
    // Nobody has to wait for a day that stays.
    if ((await lastOf(pool, name)) === undefined) continue;
    dropped += await alone(pool, 'changes', [name], async (client) => {
      if (!(await isThere(client, name))) return 0;
      const last = await lastOf(client, name);
      if (last === undefined) return 0;
      await client.query(
        'update changes_trimmed set below = greatest(below, ($1::bigint + 1)::text::xid8)',
        [last],
      );
      await client.query(`drop table ${name}`);
      return 1;
    });
  }
  return dropped;
}

/** The last transaction of a day, -1 where it has none; undefined where the day has to stay. */
async function lastOf(
  database: pg.Pool | pg.ClientBase,
  name: string,
): Promise<string | undefined> {
  const { rows } = await database.query<{ last: string }>(
    `select last from (
      select coalesce((
        select transaction::text::bigint from ${name} order by transaction desc, seq desc limit 1
      ), -1) as last
    ) as day
    where last < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
      and not exists (select from rewrites where phase = 'events' and position <= last)`,
  );
  return rows[0]?.last;
}
