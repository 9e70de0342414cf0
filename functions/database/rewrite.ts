import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { plainArray } from './array.ts';
import { sqlStateOf, withTransaction } from './session.ts';

/** A partition of both tables: its range of `created_at`, and the ending of its tables' names. */
export interface Partition {
  readonly name: string;
  /** First second; minus infinity for the catch-all of earlier times. */
  readonly from: number;
  /** The second after its last one. */
  readonly to: number;
}

/** A table that is partitioned by time. */
export type TimeTable = 'events' | 'event_tags';

/**
 * The tables in the order in which they are changed, each in a transaction of its own: who held
 * both at once could wait for a reader that waits for it. In between, tags may be missing whose
 * events are still there, or stand without an event, which readers take calmly; the other way
 * round an event would stay without tags for good.
 */
export const TIME_TABLES: readonly TimeTable[] = ['event_tags', 'events'];

/** A wait for a table's lock stops everybody behind it, so it is short and tried again. */
const LOCK_WAIT_MS = 1_000;
const LOCK_ATTEMPTS = 10;
const LOCK_PAUSE_MS = 500;

/** Copying a month may take longer than any other statement. */
const COPY_TIMEOUT_MS = 150_000;

/** SQLSTATE of a lock that was not to be had in time, and of a deadlock. */
const LOCK_STATES: ReadonlySet<string | undefined> = new Set(['55P03', '40P01']);

/**
 * A short transaction that has one of the tables to itself. The parent is locked first, as readers
 * and writers do; nothing else is waited for inside.
 */
export async function alone<T>(
  pool: pg.Pool,
  table: TimeTable,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await withTransaction(pool, 'begin', async (client) => {
        await client.query(`set local lock_timeout = ${LOCK_WAIT_MS}`);
        await client.query(`lock table only ${table} in access exclusive mode`);
        return work(client);
      });
    } catch (error) {
      if (!LOCK_STATES.has(sqlStateOf(error)) || attempt === LOCK_ATTEMPTS) throw error;
      await pause(LOCK_PAUSE_MS);
    }
  }
}

/** SQL of a partition's bounds. */
export const boundsOf = ({ from, to }: Pick<Partition, 'from' | 'to'>): string =>
  `for values from (${Number.isFinite(from) ? from : 'minvalue'}) to (${to})`;

/**
 * Writes what stays of some partitions into a new one that takes their place; `olds` follow one
 * another without a gap and `target` has the range of all of them. Readers and writers go on while
 * the copy is made; what changes meanwhile is brought over from the changes log, in the short
 * moment in which the tables are exchanged.
 * @param options.stays condition on a row, without parameters; all rows stay by default.
 * @param options.also done in the same moment.
 */
export async function rewrite(
  pool: pg.Pool,
  table: TimeTable,
  olds: readonly Partition[],
  target: Partition,
  {
    stays = 'true',
    also,
  }: { readonly stays?: string; readonly also?: (client: pg.PoolClient) => Promise<void> } = {},
): Promise<void> {
  const made = `${table}_${target.name}_new`;
  const sources = olds.map(({ name }) => `${table}_${name}`);
  const snapshot = await copy(pool, table, sources, target, stays);
  await alone(pool, table, async (client) => {
    await bringOver(client, { table, made, sources, snapshot, target, stays });
    for (const source of sources) {
      await client.query(`alter table ${table} detach partition ${source}`);
      await client.query(`drop table ${source}`);
    }
    await client.query(`alter table ${made} rename to ${table}_${target.name}`);
    await client.query(
      `alter table ${table} attach partition ${table}_${target.name} ${boundsOf(target)}`,
    );
    // It has spared the attachment a look at every row.
    await client.query(`alter table ${table}_${target.name} drop constraint in_range`);
    await also?.(client);
  });
}

/** Makes the new table with all that stays now; gives what "now" was. */
async function copy(
  pool: pg.Pool,
  table: TimeTable,
  sources: readonly string[],
  target: Partition,
  stays: string,
): Promise<string> {
  const made = `${table}_${target.name}_new`;
  const { from, to } = target;
  const range = `${Number.isFinite(from) ? `created_at >= ${from} and ` : ''}created_at < ${to}`;
  // Left behind by a run that was killed.
  await pool.query(`drop table if exists ${made}`);
  await pool.query(`create table ${made} (like ${table} including all)`);
  await pool.query(`alter table ${made} add constraint in_range check (${range})`);
  return withTransaction(pool, 'begin isolation level repeatable read', async (client) => {
    await client.query(`set local statement_timeout = ${COPY_TIMEOUT_MS}`);
    const { rows } = await client.query<{ snapshot: string }>(
      'select pg_current_snapshot()::text as snapshot',
    );
    for (const source of sources) {
      await client.query(`insert into ${made} select * from ${source} where ${stays}`);
    }
    return rows[0]!.snapshot;
  });
}

/** What was added and removed since the copy; nobody writes meanwhile. */
async function bringOver(
  client: pg.PoolClient,
  given: {
    readonly table: TimeTable;
    readonly made: string;
    readonly sources: readonly string[];
    readonly snapshot: string;
    readonly target: Partition;
    readonly stays: string;
  },
): Promise<void> {
  const { made, sources, snapshot, target, stays } = given;
  const { rows } = await client.query<{ what: string; key: string }>(
    `select what, left(id, 32) as key from changes
      where transaction >= pg_snapshot_xmin($1::pg_snapshot)
        and not pg_visible_in_snapshot(transaction, $1::pg_snapshot)
        and (what = 'r' or what = 'a' and created_at >= $2 and created_at < $3)`,
    [snapshot, Number.isFinite(target.from) ? target.from : 0, target.to],
  );
  const keys = (wanted: string): string =>
    plainArray(new Set(rows.filter(({ what }) => what === wanted).map(({ key }) => key)));
  const [added, removed] = [keys('a'), keys('r')];
  if (removed !== '{}') {
    await client.query(`delete from ${made} where key = any($1::uuid[])`, [removed]);
  }
  if (added === '{}') return;
  for (const source of sources) {
    await client.query(
      `insert into ${made} select * from ${source} where key = any($1::uuid[]) and (${stays})`,
      [added],
    );
  }
}
