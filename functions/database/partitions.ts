import type pg from 'pg';
import { withTransaction } from './session.ts';

/** A month of regular events: the table of the events and the one of their tags. */
export interface Month {
  /** As `y2026m11`, the ending of both tables' names. */
  readonly name: string;
  /** First second. */
  readonly from: number;
  /** The second after its last one. */
  readonly to: number;
}

/** A writer that holds a partition for longer than this makes upkeep try again at the next run. */
const LOCK_TIMEOUT = "set local lock_timeout = '5s'";

/** The month that begins `offset` months after the one that holds this second (UTC). */
export function monthAt(seconds: number, offset = 0): Month {
  const date = new Date(seconds * 1_000);
  const begin = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + offset);
  const end = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + offset + 1);
  const first = new Date(begin);
  const month = String(first.getUTCMonth() + 1).padStart(2, '0');
  return { name: `y${first.getUTCFullYear()}m${month}`, from: begin / 1_000, to: end / 1_000 };
}

/** The months that have partitions, oldest first; the catch-alls at both ends are not among them. */
export async function listMonths(database: pg.Pool | pg.ClientBase): Promise<Month[]> {
  const { rows } = await database.query<{ name: string; bound: string }>(`
    select c.relname as name, pg_get_expr(c.relpartbound, c.oid) as bound
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'events'::regclass`);
  const months: Month[] = [];
  for (const { name, bound } of rows) {
    const range = /FROM \('(-?\d+)'\) TO \('(-?\d+)'\)/.exec(bound);
    if (range === null) continue;
    months.push({
      name: name.slice('events_'.length),
      from: Number(range[1]),
      to: Number(range[2]),
    });
  }
  return months.sort((a, b) => a.from - b.from);
}

/**
 * Splits a month off the end of the catch-all for later times, with the events that lie there
 * already. Months must be made in order, without leaving one out, since what lies before the first
 * is the other catch-all's. In one transaction: readers see the old tables or the new ones.
 */
export async function makeMonth(pool: pg.Pool, month: Month): Promise<void> {
  await withTransaction(pool, 'begin', async (client) => {
    await client.query(LOCK_TIMEOUT);
    const last = (await listMonths(client)).at(-1);
    if (last !== undefined && last.to >= month.to) return;
    const from = last?.to ?? month.from;
    for (const table of ['events', 'event_tags']) {
      const after = `${table}_after`;
      const made = `${table}_${month.name}`;
      await client.query(`alter table ${table} detach partition ${after}`);
      if (last === undefined) await extendBefore(client, table, from);
      await client.query(
        `create table ${made} partition of ${table} for values from (${from}) to (${month.to})`,
      );
      await client.query(`
        with moved as (delete from ${after} where created_at < ${month.to} returning *)
        insert into ${table} select * from moved`);
      await client.query(
        `alter table ${table} attach partition ${after} for values from (${month.to}) to (maxvalue)`,
      );
    }
  });
}

/** The catch-all for earlier times reaches up to the first month, so that no time is without one. */
async function extendBefore(client: pg.ClientBase, table: string, from: number): Promise<void> {
  const before = `${table}_before`;
  await client.query(`alter table ${table} detach partition ${before}`);
  await client.query(
    `alter table ${table} attach partition ${before} for values from (minvalue) to (${from})`,
  );
}

/** How many bytes the regular events take, tags and indexes included. */
export async function regularBytes(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ bytes: string }>(`
    select coalesce(sum(pg_total_relation_size(inhrelid)), 0) as bytes from pg_inherits
    where inhparent in ('events'::regclass, 'event_tags'::regclass)`);
  return Number(rows[0]?.bytes);
}

/**
 * Drops the oldest month with all its events, and tells the relay instances by the changes log.
 * Its range goes to the catch-all, for events of that time that come later.
 */
export async function dropMonth(pool: pg.Pool, month: Month): Promise<void> {
  await withTransaction(pool, 'begin', async (client) => {
    await client.query(LOCK_TIMEOUT);
    for (const table of ['events', 'event_tags']) {
      await client.query(`drop table ${table}_${month.name}`);
      await extendBefore(client, table, month.to);
    }
    await client.query(`insert into changes (what, created_at, until) values ('d', $1, $2)`, [
      month.from,
      month.to - 1,
    ]);
  });
}

/** Empties the catch-all for earlier times; what retention takes begins there. */
export async function emptyBefore(pool: pg.Pool): Promise<void> {
  await withTransaction(pool, 'begin', async (client) => {
    await client.query(LOCK_TIMEOUT);
    const { rows } = await client.query<{ until: string | null }>(
      'select max(created_at) as until from events_before',
    );
    const until = rows[0]?.until;
    if (until === null || until === undefined) return;
    await client.query('truncate events_before, event_tags_before');
    await client.query(`insert into changes (what, created_at, until) values ('d', 0, $1)`, [
      until,
    ]);
  });
}

/** The kinds of which a month holds events. */
export async function kindsOf(pool: pg.Pool, month: Month): Promise<number[]> {
  // One probe a kind, along the index, however many events there are.
  const { rows } = await pool.query<{ kind: number }>(`
    with recursive kinds as (
      (select kind from events_${month.name} order by kind limit 1)
      union all
      select (select e.kind from events_${month.name} e where e.kind > kinds.kind
        order by e.kind limit 1)
      from kinds where kinds.kind is not null
    )
    select kind from kinds where kind is not null`);
  return rows.map(({ kind }) => kind);
}

/**
 * Takes some kinds out of a month: what stays is written to new tables, and the old ones are
 * dropped, so that nothing is deleted row by row and no dead rows are left behind.
 */
export async function dropKinds(
  pool: pg.Pool,
  month: Month,
  kinds: readonly number[],
): Promise<void> {
  await withTransaction(pool, 'begin', async (client) => {
    await client.query(LOCK_TIMEOUT);
    for (const table of ['events', 'event_tags']) {
      const old = `${table}_${month.name}`;
      await client.query(`lock table ${old} in access exclusive mode`);
      await client.query(`alter table ${table} detach partition ${old}`);
      await client.query(`alter table ${old} rename to ${old}_old`);
      await client.query(
        `create table ${old} partition of ${table} for values from (${month.from}) to (${month.to})`,
      );
      await client.query(
        `insert into ${old} select * from ${old}_old where kind <> all($1::int[])`,
        [kinds],
      );
      await client.query(`drop table ${old}_old`);
    }
    await client.query(
      `insert into changes (what, created_at, until, kind)
        select 'd', $1, $2, kind from unnest($3::int[]) as gone(kind)`,
      [month.from, month.to - 1, kinds],
    );
  });
}
