import type pg from 'pg';
import { inTurn } from './alone.ts';

const DAY_MS = 86_400_000;

const dayName = (day: Date): string => `d${day.toISOString().slice(0, 10).replaceAll('-', '')}`;
const dayStart = (ms: number): Date => new Date(Math.floor(ms / DAY_MS) * DAY_MS);

/** Makes the log's partition up to the end of tomorrow, so that trimming is a DROP. */
export async function makeLogDay(pool: pg.Pool, nowMs: number): Promise<boolean> {
  const day = dayStart(nowMs + DAY_MS);
  const next = dayStart(nowMs + 2 * DAY_MS);
  return inTurn(pool, async (client) => {
    const name = `changes_${dayName(day)}`;
    const { rows } = await client.query<{ there: boolean }>(
      'select to_regclass($1) is not null as there',
      [name],
    );
    if (rows[0]?.there === true) return false;
    // The new partition begins where the catch-all begins now, however long nobody made a day, so
    // that no time is without one: the catch-all, with what lies in it, becomes that partition.
    const { rows: bounds } = await client.query<{ bound: string }>(
      "select pg_get_expr(relpartbound, oid) as bound from pg_class where oid = 'changes_after'::regclass",
    );
    const from = /FROM \('([^']+)'\)/.exec(bounds[0]?.bound ?? '')?.[1];
    if (from === undefined) throw new Error('the catch-all of the changes log has no lower bound');
    const to = next.toISOString();
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

/**
 * Drops the days of the log that ended before `keepHours` ago. Readers whose position is older are
 * told that the log does not reach back and load a snapshot.
 */
export async function trimLog(pool: pg.Pool, nowMs: number, keepHours: number): Promise<number> {
  const endedBefore = nowMs - keepHours * 3_600_000;
  const { rows } = await pool.query<{ name: string; bound: string }>(`
    select c.relname as name, pg_get_expr(c.relpartbound, c.oid) as bound
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'changes'::regclass`);
  let dropped = 0;
  for (const { name, bound } of rows) {
    const end = /TO \('([^']+)'\)/.exec(bound)?.[1];
    if (name === 'changes_before' || end === undefined) continue;
    if (Date.parse(end.replace(/([+-]\d\d)$/, '$1:00')) > endedBefore) continue;
    await inTurn(pool, async (client) => {
      await client.query(`
        update changes_trimmed set below = greatest(below, t.next) from (
          select coalesce(max(transaction::text::bigint) + 1, 0)::text::xid8 as next from ${name}
        ) t`);
      await client.query(`drop table ${name}`);
    });
    dropped += 1;
  }
  return dropped;
}
