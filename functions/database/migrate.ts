import { readdirSync } from 'node:fs';
import { parse } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { PG_MIGRATE_LOCK_ID, runner } from 'node-pg-migrate';
import pg from 'pg';
import { type Access, grantAccess } from './grants.ts';
import { MigrationFailure } from './migration-failure.ts';
import { sqlStateOf } from './session.ts';

/** What the migrations have to say while they run. */
export interface MigrationLog {
  info(message: string): void;
}

export interface MigrateOptions {
  readonly log?: MigrationLog;
  /** Where the SQL files are. */
  readonly directory?: string;
  /** Who is let at the tables afterwards. */
  readonly access?: Access;
  /** How often it is tried where a lock is not to be had. */
  readonly triesMax?: number;
}

/** The SQL files stand beside this file, in the sources and in the build. */
const DIRECTORY = fileURLToPath(new URL('./migrations', import.meta.url));

/**
 * Brings the database to the schema of this version. Several may call it at the same time: an
 * advisory lock lets one work while the others wait and then find nothing to do. Throws a
 * `MigrationFailure`; of a file that failed nothing has happened.
 */
export async function migrate(
  database: string | pg.Pool,
  options: MigrateOptions = {},
): Promise<void> {
  if (typeof database !== 'string') {
    const client = await database.connect();
    let failure: Error | undefined;
    try {
      await run(client, options);
    } catch (error) {
      failure = error as Error;
      throw error;
    } finally {
      // One that failed is closed: the server ends what it held.
      client.release(failure);
    }
    return;
  }
  const client = new pg.Client({ connectionString: database });
  await client.connect();
  try {
    await run(client, options);
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
async function run(client: pg.ClientBase, options: MigrateOptions): Promise<void> {
  const { directory = DIRECTORY, triesMax = TRIES_MAX } = options;
  // Without a listener a connection that breaks between two statements would end the process.
  const ignore = (): void => undefined;
  client.on('error', ignore);
  try {
    await client.query(`set lock_timeout = ${LOCK_TIMEOUT_MS}`);
    for (let tries = 1; ; tries += 1) {
      try {
        await migrateOnce(client, directory, options);
        break;
      } catch (error) {
        // A connection that is gone holds nothing any more.
        await client.query('rollback').catch(ignore);
        await client.query('select pg_advisory_unlock_all()').catch(ignore);
        const isBusy = sqlStateOf(error) === LOCK_NOT_AVAILABLE;
        if (isBusy && tries < triesMax) await pause(TRY_AGAIN_MS);
        else throw new MigrationFailure(await nextFile(client, directory), error);
      }
    }
    await client.query('reset lock_timeout');
  } finally {
    client.off('error', ignore);
  }
}

/**
 * The library's own lock, so that a migration of an earlier version waits for it as well; the
 * library would give it back before the grants.
 */
async function migrateOnce(
  client: pg.ClientBase,
  directory: string,
  { log, access }: MigrateOptions,
): Promise<void> {
  const say = (message: string): void => log?.info(message);
  await client.query(`select pg_advisory_lock(${PG_MIGRATE_LOCK_ID})`);
  await runner({
    dbClient: client,
    dir: directory,
    direction: 'up',
    migrationsTable: 'migrations',
    checkOrder: true,
    noLock: true,
    logger: { debug: () => undefined, info: say, warn: say, error: say },
  });
  if (access !== undefined) await grantAccess(client, access);
  await client.query(`select pg_advisory_unlock(${PG_MIGRATE_LOCK_ID})`);
}

/** The first file that has not run; undefined where all have, or where nobody can say. */
async function nextFile(client: pg.ClientBase, directory: string): Promise<string | undefined> {
  try {
    const { rows } = await client.query<{ name: string }>('select name from migrations');
    const done = new Set(rows.map(({ name }) => name));
    return readdirSync(directory)
      .filter((file) => file.endsWith('.sql'))
      .sort()
      .find((file) => !done.has(parse(file).name));
  } catch {
    return undefined;
  }
}
