import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { runner } from 'node-pg-migrate';
import pg from 'pg';

/** What the migrations have to say while they run. */
export interface MigrationLog {
  info(message: string): void;
}

/** The SQL files stand beside this file, in the sources and in the build. */
const DIRECTORY = fileURLToPath(new URL('./migrations', import.meta.url));

/**
 * Brings the database to the schema of this version. Several may call it at the same time: the
 * library's advisory lock lets one work while the others wait and then find nothing to do.
 */
export async function migrate(
  database: string | pg.Pool,
  log?: MigrationLog,
  directory = DIRECTORY,
): Promise<void> {
  if (typeof database !== 'string') {
    const client = await database.connect();
    try {
      await run(client, log, directory);
    } finally {
      client.release();
    }
    return;
  }
  const client = new pg.Client({ connectionString: database });
  await client.connect();
  try {
    await run(client, log, directory);
  } finally {
    await client.end();
  }
}

/** Whoever reads or writes queues behind a change of a table that waits for its lock. */
const LOCK_TIMEOUT_MS = 500;
const TRY_AGAIN_MS = 500;
/** In all about ten minutes: longer than any query of ours may take. */
const TRIES_MAX = 600;
const LOCK_NOT_AVAILABLE = '55P03';

/** Tries again where a lock was not to be had: nothing of a try that failed stays. */
async function run(
  client: pg.ClientBase,
  log: MigrationLog | undefined,
  directory: string,
): Promise<void> {
  await client.query(`set lock_timeout = ${LOCK_TIMEOUT_MS}`);
  try {
    for (let tries = 1; ; tries += 1) {
      try {
        await migrateOnce(client, log, directory);
        return;
      } catch (error) {
        // The library leaves its transaction and its lock behind.
        await client.query('rollback');
        await client.query('select pg_advisory_unlock_all()');
        const isBusy = (error as { code?: unknown }).code === LOCK_NOT_AVAILABLE;
        if (!isBusy || tries >= TRIES_MAX) throw error;
        await pause(TRY_AGAIN_MS);
      }
    }
  } finally {
    await client.query('reset lock_timeout');
  }
}

async function migrateOnce(
  client: pg.ClientBase,
  log: MigrationLog | undefined,
  directory: string,
): Promise<void> {
  const say = (message: string): void => log?.info(message);
  await runner({
    dbClient: client,
    dir: directory,
    direction: 'up',
    migrationsTable: 'migrations',
    checkOrder: true,
    advisoryLockMode: 'wait',
    logger: { debug: () => undefined, info: say, warn: say, error: say },
  });
}
