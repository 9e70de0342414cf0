import pg from 'pg';
import { markHarmless, sqlStateOf } from './session.ts';

/** SQLSTATE of a statement that was cancelled. */
const QUERY_CANCELED = '57014';

/** How long to wait before asking again: the first request may come before the statement runs. */
const AGAIN_MS = 50;

const spares = new WeakMap<pg.Pool, pg.Pool>();

/** By connection: which server it leads to, where its pool may lead to several. */
const servers = new WeakMap<pg.PoolClient, string>();

/** Notes the server of a connection by `pg_postmaster_start_time()`. */
export function nameServer(client: pg.PoolClient, startedAt: string): void {
  servers.set(client, startedAt);
}

/**
 * A connection of its own beside a pool, whose own may all be taken: by what is to be cancelled,
 * or by work that says nothing of how the server is.
 */
export function spareOf(pool: pg.Pool): pg.Pool {
  let spare = spares.get(pool);
  if (spare === undefined) {
    const { options } = pool;
    spare = new pg.Pool({
      ...options,
      // node-pg hides these from enumeration.
      ...(options.password === undefined ? {} : { password: options.password }),
      ...(options.ssl === undefined ? {} : { ssl: options.ssl }),
      max: 1,
      min: 0,
      idleTimeoutMillis: 5_000,
      allowExitOnIdle: true,
    });
    // An idle connection that breaks is replaced at the next use.
    spare.on('error', () => undefined);
    spares.set(pool, spare);
  }
  return spare;
}

/**
 * Runs a query so that an abort of the signal really ends the statement in the server. Rejects
 * with the signal's reason then. Returns only when no cancel request is on its way any more, so
 * that none can hit what runs next on this connection.
 */
export async function cancellable<T>(
  pool: pg.Pool,
  client: pg.PoolClient,
  signal: AbortSignal | undefined,
  run: () => Promise<T>,
): Promise<T> {
  if (signal === undefined) return run();
  // Nothing has been sent: the connection is as good as before.
  if (signal.aborted) markHarmless(signal.reason);
  signal.throwIfAborted();
  let running = true;
  let cancelling: Promise<void> = Promise.resolve();
  const onAbort = (): void => {
    cancelling = (async () => {
      while (running) {
        await requestCancel(spareOf(pool), client);
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    })().catch(() => undefined); // The statement then ends by its own time limit.
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const value = await run();
    if (signal.aborted) markHarmless(signal.reason);
    signal.throwIfAborted();
    return value;
  } catch (error) {
    if (signal.aborted && sqlStateOf(error) === QUERY_CANCELED) markHarmless(signal.reason);
    signal.throwIfAborted();
    throw error;
  } finally {
    running = false;
    signal.removeEventListener('abort', onAbort);
    await cancelling;
  }
}

/** On another server of a read pool the same process id is somebody else's. */
async function requestCancel(canceller: pg.Pool, client: pg.PoolClient): Promise<void> {
  const server = servers.get(client);
  const processId = processIdOf(client);
  if (server === undefined) await canceller.query('select pg_cancel_backend($1)', [processId]);
  else {
    const there = 'select pg_cancel_backend($1) where pg_postmaster_start_time()::text = $2';
    await canceller.query(there, [processId, server]);
  }
}

function processIdOf(client: pg.PoolClient): number {
  const { processID } = client as unknown as { processID?: number | null };
  if (typeof processID !== 'number') throw new Error('the connection has no process id');
  return processID;
}
