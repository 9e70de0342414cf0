import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { LOCK_CLASS } from './author-locks.ts';
import { sqlStateOf, withTransaction } from './session.ts';

/** A table that is partitioned by the events' time. */
export type TimeTable = 'events' | 'event_tags';

/**
 * The tables in the order in which they are changed, each in a transaction of its own: who held
 * both at once could wait for a reader that waits for it, since readers by tag lock the tags first
 * and writers the events. In between, tags may be missing whose events are about to leave.
 */
export const TIME_TABLES: readonly TimeTable[] = ['event_tags', 'events'];

/**
 * A wait for a parent's lock stops everybody who comes after it, so it is short and tried again.
 * Shorter than PostgreSQL's deadlock_timeout (1 s), so that of two it is never a reader or a
 * writer that is made to give way.
 */
const LOCK_WAIT_MS = 500;
const LOCK_ATTEMPTS = 10;
const LOCK_PAUSE_MS = 500;

/** Nobody is stopped by this wait; longer than deadlock_timeout, after which autovacuum yields. */
const QUIET_WAIT_MS = 5_000;

/** SQLSTATE of a lock that was not to be had in time, and of a deadlock. */
const LOCK_STATES: ReadonlySet<string | undefined> = new Set(['55P03', '40P01']);

/** True where somebody else had what was waited for. */
export const isLockedOut = (error: unknown): boolean => LOCK_STATES.has(sqlStateOf(error));

/** The advisory lock of who changes partitions; the authors' buckets have the numbers below it. */
const PARTITIONS_LOCK = 256;

/**
 * A short transaction of upkeep, one at a time: two jobs that change partitions, of the changes log
 * too, or that read one past its parent, never meet. Readers and writers do not notice it.
 */
export async function inTurn<T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  return withTransaction(pool, 'begin', async (client) => {
    await client.query(`set local lock_timeout = ${QUIET_WAIT_MS}`);
    await takeTurn(client);
    return work(client);
  });
}

/** From here to the end of its transaction nobody else changes partitions. */
export async function takeTurn(client: pg.ClientBase): Promise<void> {
  await client.query(`select pg_advisory_xact_lock(${LOCK_CLASS}, ${PARTITIONS_LOCK})`);
}

/** From here on the transaction waits for nobody long enough to make others give way. */
export async function yieldToOthers(client: pg.ClientBase): Promise<void> {
  await client.query(`set local lock_timeout = ${LOCK_WAIT_MS}`);
}

/**
 * A short transaction that has a partitioned table to itself. The parent is locked first, as
 * readers and writers do. What autovacuum holds of `tables`, which need not exist, is waited for
 * before that, so that nothing is waited for while everybody else waits.
 */
export async function alone<T>(
  pool: pg.Pool,
  parent: TimeTable | 'changes',
  tables: readonly string[],
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await inTurn(pool, async (client) => {
        for (const table of await existing(client, tables)) {
          await client.query(`lock table only ${table} in share update exclusive mode`);
        }
        await yieldToOthers(client);
        await client.query(`lock table only ${parent} in access exclusive mode`);
        return work(client);
      });
    } catch (error) {
      if (!isLockedOut(error) || attempt === LOCK_ATTEMPTS) throw error;
      await pause(LOCK_PAUSE_MS);
    }
  }
}

/** Asked of the catalogue, since to_regclass answers from what this session last knew. */
async function existing(client: pg.PoolClient, tables: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select relname as name from pg_class
      where relname = any($1::text[]) and relkind = 'r' and pg_table_is_visible(oid)`,
    [tables],
  );
  return rows.map(({ name }) => name);
}
