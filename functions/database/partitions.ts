import type pg from 'pg';
import { alone, TIME_TABLES, type TimeTable } from './alone.ts';
import { currentPosition } from './changes.ts';
import { deleteEventTags, tagRowsOf } from './deletions.ts';
import { finishExchange } from './rewrite.ts';
import { boundsOf, noteDropped, type Partition } from './rewrite-plan.ts';

/**
 * A partition of regular events: the table of the events and the one of their tags. A month, as
 * `y2026m11`, or a year of months that were merged, as `y2026`.
 */
export type Month = Partition;

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
    await alone(pool, table, ['before', 'after'], async (client) => {
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
  await finishExchange(pool);
  const position = await currentPosition(pool);
  for (const table of TIME_TABLES) {
    await alone(pool, table, ['before', month.name], async (client) => {
      const there = (await listMonths(client, table)).some(({ name }) => name === month.name);
      if (!there) return;
      if (table === 'events') await dropLateTags(client, month, position);
      await client.query(`drop table ${table}_${month.name}`);
      await extendBefore(client, table, month.to);
      if (table === 'events') await noteDropped(client, month);
    });
  }
}

/** Empties the catch-all for earlier times; what retention takes begins there. */
export async function emptyBefore(pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query<{ found: boolean }>(`
    select exists (select from events_before) or exists (select from event_tags_before) as found`);
  // Mostly there is nothing; a lock for that would stop everybody at every run.
  if (rows[0]?.found !== true) return;
  await finishExchange(pool);
  const position = await currentPosition(pool);
  for (const table of TIME_TABLES) {
    await alone(pool, table, ['before'], async (client) => {
      // Looked at only now that nobody can add to it.
      const latest = await client.query<{ until: string | null }>(
        `select max(created_at) as until from ${table}_before`,
      );
      const until = latest.rows[0]?.until;
      if (until === null || until === undefined) return;
      const range = { name: 'before', from: 0, to: Number(until) + 1 };
      if (table === 'events') await dropLateTags(client, range, position);
      await client.query(`truncate ${table}_before`);
      if (table === 'events') await noteDropped(client, range);
    });
  }
}

/**
 * Removes the tags of events that came after their partition's tags had gone, or they would stay
 * without an event and count as one where a reader looks for the newest so many.
 */
async function dropLateTags(
  client: pg.ClientBase,
  { name, from, to }: Partition,
  position: number,
): Promise<void> {
  const { rows } = await client.query<{ text: string }>(
    `select e.text from changes c join events_${name} e on e.key = left(c.id, 32)::uuid
      where c.transaction >= $1::text::xid8 and c.what = 'a'
        and c.created_at >= $2 and c.created_at < $3`,
    [String(position), Math.max(0, from), to],
  );
  await deleteEventTags(client, tagRowsOf(rows.map(({ text }) => text)));
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
