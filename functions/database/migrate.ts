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
export async function migrate(database: string | pg.Pool, log?: MigrationLog): Promise<void> {
  if (typeof database !== 'string') {
    const client = await database.connect();
    try {
      await run(client, log);
    } finally {
      client.release();
    }
    return;
  }
  const client = new pg.Client({ connectionString: database });
  await client.connect();
  try {
    await run(client, log);
  } finally {
    await client.end();
  }
}

async function run(client: pg.ClientBase, log: MigrationLog | undefined): Promise<void> {
  const say = (message: string): void => log?.info(message);
  await runner({
    dbClient: client,
    dir: DIRECTORY,
    direction: 'up',
    migrationsTable: 'migrations',
    checkOrder: true,
    advisoryLockMode: 'wait',
    logger: { debug: () => undefined, info: say, warn: say, error: say },
  });
}
