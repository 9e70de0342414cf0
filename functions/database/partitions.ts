import type pg from 'pg';
import { plainArray } from './array.ts';
import {
  alone,
  boundsOf,
  type Partition,
  rewrite,
  TIME_TABLES,
  type TimeTable,
} from './rewrite.ts';
import { withTransaction } from './session.ts';

/**
 * A partition of regular events: the table of the events and the one of their tags. A month, as
 * `y2026m11`, or a year of months that were merged, as `y2026`.
 */
export type Month = Partition;

/**
 * Rows of a partition that are deleted one by one rather than have the rest of it written anew:
 * what was re-submitted after its kind had left is a handful beside millions.
 */
const DELETED_ROWS_MAX = 10_000;

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
export async function listMonths(
  database: pg.Pool | pg.ClientBase,
  table: TimeTable = 'events',
): Promise<Month[]> {
  const { rows } = await database.query<{ name: string; bound: string }>(
    `select c.relname as name, pg_get_expr(c.relpartbound, c.oid) as bound
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = $1::regclass`,
    [table],
  );
  const months: Month[] = [];
  for (const { name, bound } of rows) {
    const range = /FROM \('(-?\d+)'\) TO \('(-?\d+)'\)/.exec(bound);
    if (range === null) continue;
    months.push({
      name: name.slice(table.length + 1),
      from: Number(range[1]),
      to: Number(range[2]),
    });
  }
  return months.sort((a, b) => a.from - b.from);
}

/**
 * The catch-all for times before the first month, as a partition; undefined while there is no
 * month, since it then ends in a time that says nothing.
 */
export const beforeOf = (months: readonly Month[]): Partition | undefined =>
  months[0] && { name: 'before', from: Number.NEGATIVE_INFINITY, to: months[0].from };

/**
 * Splits a month off the end of the catch-all for later times, with the events that lie there
 * already. Months must be made in order, without leaving one out, since what lies before the first
 * is the other catch-all's. Readers see the old tables or the new ones.
 */
export async function makeMonth(pool: pg.Pool, month: Month): Promise<void> {
  for (const table of TIME_TABLES) {
    await alone(pool, table, async (client) => {
      const last = (await listMonths(client, table)).at(-1);
      if (last !== undefined && last.to >= month.to) return;
      const from = last?.to ?? month.from;
      const after = `${table}_after`;
      await client.query(`alter table ${table} detach partition ${after}`);
      if (last === undefined) await extendBefore(client, table, from);
      const bounds = boundsOf({ from, to: month.to });
      await client.query(`create table ${table}_${month.name} partition of ${table} ${bounds}`);
      await client.query(`
        with moved as (delete from ${after} where created_at < ${month.to} returning *)
        insert into ${table} select * from moved`);
      await client.query(
        `alter table ${table} attach partition ${after} for values from (${month.to}) to (maxvalue)`,
      );
    });
  }
}

/** The catch-all for earlier times reaches up to the first month, so that no time is without one. */
async function extendBefore(client: pg.ClientBase, table: string, to: number): Promise<void> {
  const before = `${table}_before`;
  await client.query(`alter table ${table} detach partition ${before}`);
  const bounds = boundsOf({ from: Number.NEGATIVE_INFINITY, to });
  await client.query(`alter table ${table} attach partition ${before} ${bounds}`);
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
 * Its range goes to the catch-all, for events of that time that come later. A run that was killed
 * between the two tables is finished by the next.
 */
export async function dropMonth(pool: pg.Pool, month: Month): Promise<void> {
  for (const table of TIME_TABLES) {
    await alone(pool, table, async (client) => {
      const there = (await listMonths(client, table)).some(({ name }) => name === month.name);
      if (!there) return;
      await client.query(`drop table ${table}_${month.name}`);
      await extendBefore(client, table, month.to);
      if (table === 'events') await noteDropped(client, month.from, month.to - 1);
    });
  }
}

/** Empties the catch-all for earlier times; what retention takes begins there. */
export async function emptyBefore(pool: pg.Pool): Promise<void> {
  for (const table of TIME_TABLES) {
    await alone(pool, table, async (client) => {
      // Looked at only now that nobody can add to it.
      const { rows } = await client.query<{ until: string | null }>(
        `select max(created_at) as until from ${table}_before`,
      );
      const until = rows[0]?.until;
      if (until === null || until === undefined) return;
      await client.query(`truncate ${table}_before`);
      if (table === 'events') await noteDropped(client, 0, Number(until));
    });
  }
}

/** Tells the windows that every event of a range is gone, of some kinds or of all. */
async function noteDropped(
  client: pg.ClientBase,
  fromSeconds: number,
  toSeconds: number,
  kinds?: readonly number[],
): Promise<void> {
  await client.query(
    `insert into changes (what, created_at, until, kind)
      select 'd', $1, $2, kind from unnest($3::int[]) as gone(kind)`,
    [fromSeconds, toSeconds, kinds ?? [null]],
  );
}

/** The kinds of which a partition holds events. */
export async function kindsOf(pool: pg.Pool, partition: Partition): Promise<number[]> {
  // One probe a kind, along the index, however many events there are.
  const { rows } = await pool.query<{ kind: number }>(`
    with recursive kinds as (
      (select kind from events_${partition.name} order by kind limit 1)
      union all
      select (select e.kind from events_${partition.name} e where e.kind > kinds.kind
        order by e.kind limit 1)
      from kinds where kinds.kind is not null
    )
    select kind from kinds where kind is not null`);
  return rows.map(({ kind }) => kind);
}

/**
 * Takes some kinds out of a partition: what stays is written to new tables that take its place, so
 * that nothing is deleted row by row and no dead rows are left behind. Where there is only a
 * handful to take, just that is deleted.
 */
export async function dropKinds(
  pool: pg.Pool,
  partition: Partition,
  kinds: readonly number[],
): Promise<void> {
  const [from, to] = [Math.max(0, partition.from), partition.to - 1];
  if (await isHandful(pool, partition, kinds)) {
    await withTransaction(pool, 'begin', async (client) => {
      for (const table of TIME_TABLES) {
        await client.query(`delete from ${table}_${partition.name} where kind = any($1::int[])`, [
          kinds,
        ]);
      }
      await noteDropped(client, from, to, kinds);
    });
    return;
  }
  const stays = `kind <> all('${plainArray(kinds)}'::int[])`;
  for (const table of TIME_TABLES) {
    await rewrite(pool, table, [partition], partition, {
      stays,
      ...(table === 'events' && {
        also: (client: pg.PoolClient) => noteDropped(client, from, to, kinds),
      }),
    });
  }
}

async function isHandful(
  pool: pg.Pool,
  { name }: Partition,
  kinds: readonly number[],
): Promise<boolean> {
  const { rows } = await pool.query<{ count: string }>(
    `select count(*) from (
      select from events_${name} where kind = any($1::int[]) limit ${DELETED_ROWS_MAX + 1}
    ) as found`,
    [kinds],
  );
  return Number(rows[0]?.count) <= DELETED_ROWS_MAX;
}

/** More months than this are merged by years: planning a query costs time for each. */
export const MONTHS_MAX = 24;

/**
 * Merges the months of the oldest year that has several, where there are more than `MONTHS_MAX` in
 * all: one year at a time, and never the current one.
 * @returns how many partitions became one; 0 where nothing was to be done.
 */
export async function mergeOldest(pool: pg.Pool, nowSeconds: number): Promise<number> {
  const months = await listMonths(pool);
  if (months.length <= MONTHS_MAX) return 0;
  const current = new Date(nowSeconds * 1_000).getUTCFullYear();
  for (const year of new Set(months.map(yearOf))) {
    if (year >= current) continue;
    const merged = await mergeYear(pool, year);
    if (merged > 0) return merged;
  }
  return 0;
}

const yearOf = ({ from }: Month): number => new Date(from * 1_000).getUTCFullYear();

/** Makes one partition of the months of a year; 0 where there is only one of them. */
export async function mergeYear(pool: pg.Pool, year: number): Promise<number> {
  const ofYear = async (table: TimeTable) =>
    (await listMonths(pool, table)).filter((month) => yearOf(month) === year);
  const olds = await ofYear('events');
  const [first, last] = [olds[0], olds.at(-1)];
  if (olds.length < 2 || first === undefined || last === undefined) return 0;
  const target = { name: `y${year}`, from: first.from, to: last.to };
  for (const table of TIME_TABLES) {
    // A run that was killed between the two tables has merged one of them already.
    const left = await ofYear(table);
    if (left.length > 1) await rewrite(pool, table, left, target);
  }
  return olds.length;
}
