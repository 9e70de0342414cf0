import type pg from 'pg';
import { alone, inTurn, TIME_TABLES, type TimeTable } from './alone.ts';
import { listMonths, type Month } from './months.ts';
import { finishExchange } from './rewrite.ts';
import { boundsOf, noteDropped } from './rewrite-plan.ts';
import { unevenRange } from './uneven.ts';

/** Pages of tags that one transaction looks through: 8 MB, well within every statement's time. */
const PAGES_A_STEP = 1_000;

/**
 * Splits a month off the end of the catch-all for later times, with the events that lie there
 * already. Months must be made in order, without leaving one out, since what lies before the first
 * is the other catch-all's. Readers see the old tables or the new ones.
 */
export async function makeMonth(pool: pg.Pool, month: Month): Promise<void> {
  for (const table of TIME_TABLES) {
    await alone(pool, table, [`${table}_before`, `${table}_after`], async (client) => {
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
 * Finishes what was done to the tags and not yet to the events, by a call that was killed.
 * @returns false where others would not let it, or the time was over: nothing may be dropped then.
 */
export async function settle(pool: pg.Pool, signal?: AbortSignal): Promise<boolean> {
  const progress = await finishExchange(pool, signal);
  await finishDrop(pool);
  return progress === 'done' && (await unevenRange(pool)) === undefined;
}

/**
 * Drops the oldest month with all its events, and tells the relay instances by the changes log.
 * Its range goes to the catch-all, for events of that time that come later. Where it was killed
 * between the two tables it is finished by whoever comes next.
 */
export async function dropMonth(pool: pg.Pool, month: Month): Promise<void> {
  await begin(pool, { ...month, whole: true });
}

/** Empties the catch-all for earlier times; what retention takes begins there. */
export async function emptyBefore(pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query<{ found: boolean }>(`
    select exists (select from events_before) or exists (select from event_tags_before) as found`);
  // Mostly there is nothing; a lock for that would stop everybody at every run.
  if (rows[0]?.found !== true) return;
  await begin(pool, { name: 'before', whole: false });
}

/** A month that goes, or, not `whole`, the catch-all, of which only what is in it goes. */
type Drop = ({ readonly whole: true } & Month) | { readonly whole: false; readonly name: string };

async function begin(pool: pg.Pool, drop: Drop): Promise<void> {
  if (!(await settle(pool))) {
    throw new Error(`${drop.name} cannot be dropped before another change of partitions is done`);
  }
  await alone(pool, 'event_tags', tablesOf('event_tags', drop), async (client) => {
    // Looked at only now that nobody else changes partitions.
    const { rows } = await client.query(
      `select from half_drops union all select from rewrites where phase = 'events'`,
    );
    if (rows.length > 0 || (await unevenRange(client)) !== undefined) {
      throw new Error(`${drop.name} cannot be dropped: events and tags do not belong together`);
    }
    if (drop.whole) {
      const months = await listMonths(client, 'event_tags');
      if (!months.some(({ name }) => name === drop.name)) return;
    }
    await dropOf(client, 'event_tags', drop);
    await client.query(
      'insert into half_drops (name, from_seconds, to_seconds) values ($1, $2, $3)',
      drop.whole ? [drop.name, drop.from, drop.to] : [drop.name, null, null],
    );
  });
  await finishDrop(pool);
}

const tablesOf = (table: TimeTable, { name }: Drop): string[] =>
  [...new Set(['before', name])].map((each) => `${table}_${each}`);

async function dropOf(client: pg.ClientBase, table: TimeTable, drop: Drop): Promise<void> {
  if (!drop.whole) {
    await client.query(`truncate ${table}_${drop.name}`);
    return;
  }
  await client.query(`drop table ${table}_${drop.name}`);
  await extendBefore(client, table, drop.to);
}

/** Does to the events what was done to their tags. */
async function finishDrop(pool: pg.Pool): Promise<void> {
  const half = await readHalf(pool);
  if (half === undefined) return;
  if (!half.eventsToo) {
    await alone(pool, 'events', tablesOf('events', half.drop), async (client) => {
      const now = await readHalf(client);
      if (now === undefined || now.eventsToo) return;
      const range = await rangeOf(client, now.drop);
      await dropOf(client, 'events', now.drop);
      if (range !== undefined) await noteDropped(client, range);
      await client.query('update half_drops set events_too = true');
    });
  }
  await dropOrphans(pool, 'event_tags_before');
  await inTurn(pool, (client) => client.query('delete from half_drops where events_too'));
}

/** The time from which events go; undefined where there are none. */
async function rangeOf(
  client: pg.ClientBase,
  drop: Drop,
): Promise<Pick<Month, 'from' | 'to'> | undefined> {
  if (drop.whole) return drop;
  // Looked at only now that nobody can add to it.
  const { rows } = await client.query<{ until: string | null }>(
    `select max(created_at) as until from events_${drop.name}`,
  );
  const until = rows[0]?.until ?? undefined;
  return until === undefined ? undefined : { from: 0, to: Number(until) + 1 };
}

async function readHalf(
  database: pg.Pool | pg.ClientBase,
): Promise<{ readonly drop: Drop; readonly eventsToo: boolean } | undefined> {
  const { rows } = await database.query<{
    name: string;
    from_seconds: string | null;
    to_seconds: string | null;
    events_too: boolean;
  }>('select * from half_drops');
  const [row] = rows;
  if (row === undefined) return undefined;
  const { name, from_seconds: from, to_seconds: to, events_too: eventsToo } = row;
  const drop: Drop =
    from === null || to === null
      ? { whole: false, name }
      : { whole: true, name, from: Number(from), to: Number(to) };
  return { drop, eventsToo };
}

/**
 * Removes the tags of events that came after the old tags had gone and left with the old events,
 * or they would count as an event where a reader looks for the newest so many. A writer's event
 * and its tags come and go at one moment, so what has no event now is nobody's.
 */
async function dropOrphans(pool: pg.Pool, table: string): Promise<void> {
  for (let page = 0; ; page += PAGES_A_STEP) {
    const more = await inTurn(pool, async (client) => {
      const { rows } = await client.query<{ pages: string }>(
        `select pg_relation_size($1::regclass) / current_setting('block_size')::int as pages`,
        [table],
      );
      if (page >= Number(rows[0]?.pages)) return false;
      await client.query(`
        delete from ${table} as t
        where ctid >= '(${page},0)'::tid and ctid < '(${page + PAGES_A_STEP},0)'::tid
          and not exists (
            select from events as e where e.created_at = t.created_at and e.key = t.key
          )`);
      return true;
    });
    if (!more) return;
  }
}

/** The kinds of which a partition holds events. */
export async function kindsOf(pool: pg.Pool, { name }: Pick<Month, 'name'>): Promise<number[]> {
  // One probe a kind, along the index, however many events there are.
  const { rows } = await pool.query<{ kind: number }>(`
    with recursive kinds as (
      (select kind from events_${name} order by kind limit 1)
      union all
      select (select e.kind from events_${name} e where e.kind > kinds.kind
        order by e.kind limit 1)
      from kinds where kinds.kind is not null
    )
    select kind from kinds where kind is not null`);
  return rows.map(({ kind }) => kind);
}
