import type pg from 'pg';

/**
 * What every session of ours is set to. Statements are few, named and written so that one plan
 * serves all values: planning them anew costs more than running them, the more partitions there
 * are. The plan types that are off are those that would read or sort all that matches where an
 * ordered index probe is meant.
 */
const SETTINGS = `
  set plan_cache_mode = force_generic_plan;
  set jit = off;
  set enable_seqscan = off;
  set enable_bitmapscan = off;
  set enable_hashjoin = off;
  set enable_mergejoin = off;
`;

const prepared = new WeakSet<pg.PoolClient>();

/** Takes a connection from the pool for the time of `work`, with the session's settings made. */
export async function withSession<T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    if (!prepared.has(client)) {
      await client.query(SETTINGS);
      prepared.add(client);
    }
    return await work(client);
  } catch (error) {
    if (isConnectionLost(error)) broken = error as Error;
    throw error;
  } finally {
    client.release(broken);
  }
}

/**
 * Begins a transaction that sees one moment throughout. The tables are locked (against nobody who
 * reads or writes) before that moment is chosen: a partition that is exchanged between the two
 * would be missing from it.
 */
export const BEGIN_SNAPSHOT = `begin isolation level repeatable read read only;
  lock table only events, only event_tags in access share mode`;

/** As `withSession`, in a transaction that is rolled back when `work` throws. */
export async function withTransaction<T>(
  pool: pg.Pool,
  begin: string,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  return withSession(pool, async (client) => {
    try {
      await client.query(begin);
      const value = await work(client);
      await client.query('commit');
      return value;
    } catch (error) {
      // The first error is the one to report; a connection that is gone cannot roll back.
      await client.query('rollback').catch(() => undefined);
      throw error;
    }
  });
}

/** SQLSTATE of a PostgreSQL error; undefined for all others. */
export const sqlStateOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;

/** True for node-pg's word that no connection of the pool became free in time. */
export const isPoolBusy = (error: unknown): boolean =>
  error instanceof Error && error.message === 'timeout exceeded when trying to connect';

/** Errors that say nothing of the connection on which they came up. */
const harmless = new WeakSet<object>();

/** Marks the reason for which a statement was given up; the connection is as good as before. */
export function markHarmless(reason: unknown): void {
  if (typeof reason === 'object' && reason !== null) harmless.add(reason);
}

/** True where the server is gone or is about to go; such a connection must not be used again. */
function isConnectionLost(error: unknown): boolean {
  if (typeof error === 'object' && error !== null && harmless.has(error)) return false;
  const state = sqlStateOf(error);
  // Errors of PostgreSQL have five characters, those of sockets names like ECONNRESET; node-pg's
  // own "Connection terminated" has no code.
  return state === undefined || state.length !== 5 || state.startsWith('57P');
}
