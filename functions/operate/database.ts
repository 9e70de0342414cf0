import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { types } from 'node:util';
import type { Command } from 'commander';
import { z } from 'zod';
import { parseConfiguration, postgresVariables } from '../cloud/configuration.ts';
import type { Log } from '../cloud/log.ts';
import { openPostgres, type Postgres } from '../cloud/postgres.ts';
import { CommandFailure, EXIT, usageFailure } from './exit.ts';
import { type Surroundings, tell } from './surroundings.ts';

export interface DatabaseOptions {
  readonly database?: string;
  readonly data?: string;
}

export const DATABASE_HELP = `
Database: --database, else --data, else DATABASE_URL or INSTANCE_CONNECTION_NAME (with DATABASE_NAME
and DATABASE_USER), else the system that runs on this machine (npm start) in DATA_DIR or .data.`;

export function addDatabaseOptions(command: Command): Command {
  return command
    .option('--database <url>', 'postgresql://user@host:port/database')
    .option('--data <folder>', 'data folder of a system that runs on this machine');
}

/** Opens the pool for the time of `work`, and tells apart what can go wrong with a database. */
export async function withDatabase<T>(
  options: DatabaseOptions,
  surroundings: Surroundings,
  work: (pool: Postgres['pool']) => Promise<T>,
): Promise<T> {
  const configuration = parseConfiguration(
    z.object(postgresVariables),
    databaseEnvironment(options, surroundings.env),
  );
  if (!configuration.ok) throw usageFailure(configuration.reason);
  const log = quietLog(surroundings);
  const applicationName = 'distrise-operate';
  const postgres = await openPostgres({ ...configuration.value, applicationName, log });
  try {
    return await work(postgres.pool);
  } catch (error) {
    throw databaseFailure(error);
  } finally {
    await postgres.close();
  }
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The variables that say where the database is. Where that is a system on this machine, those of
 * its other parts come along: what is read in one system must not be written into another.
 */
export function databaseEnvironment(
  { database, data }: DatabaseOptions,
  env: Environment,
): Environment {
  if (database !== undefined && data !== undefined) {
    throw usageFailure('--database and --data name two databases: give one of them');
  }
  const { DATABASE_URL: _, INSTANCE_CONNECTION_NAME: __, ...others } = env;
  if (database !== undefined) return { ...others, DATABASE_URL: database };
  if (data === undefined && (env['DATABASE_URL'] || env['INSTANCE_CONNECTION_NAME'])) return env;
  const folder = dataFolder(data, env);
  const running = runningSystem(folder);
  if (running['DATABASE_URL'] !== undefined) return { ...others, ...running };
  throw usageFailure(
    data === undefined
      ? `no database: give --database or set DATABASE_URL (no system runs on ${folder} here either)`
      : `no system runs on the data folder ${folder} (npm start -- --data ${folder})`,
  );
}

const dataFolder = (data: string | undefined, env: Environment): string =>
  data ?? (env['DATA_DIR'] || '.data');

/** The folder of the system on this machine whose database is used; undefined for any other. */
export function localFolder(options: DatabaseOptions, env: Environment): string | undefined {
  const folder = dataFolder(options.data, env);
  const url = runningSystem(folder)['DATABASE_URL'];
  const used = databaseEnvironment(options, env)['DATABASE_URL'];
  return url !== undefined && url === used ? folder : undefined;
}

/** The addresses that a running local system noted in its folder. */
function runningSystem(folder: string): Environment {
  const file = join(folder, 'run', 'environment');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return {};
    throw new CommandFailure(EXIT.file, `cannot read ${file}: ${message}`, error);
  }
  return Object.fromEntries(
    [...text.matchAll(/^([A-Z_]+)=(.+)$/gm)].map(([, name, value]) => [name, value]),
  );
}

/** Only what matters to somebody at a terminal. */
function quietLog(surroundings: Surroundings): Log {
  const say = (message: string, fields: object = {}): void => {
    const reason = 'reason' in fields ? `: ${String(fields.reason)}` : '';
    tell(surroundings, `distrise: ${message}${reason}`);
  };
  const log: Log = {
    debug: () => undefined,
    info: () => undefined,
    warning: say,
    error: say,
    fault: say,
    child: () => log,
  };
  return log;
}

/** SQLSTATEs of tables and columns that are not there. */
const SCHEMA_MISSING = new Set(['42P01', '42703']);

function databaseFailure(error: unknown): unknown {
  // Not by instanceof Error, which does not know errors of another realm.
  if (!types.isNativeError(error) || error instanceof CommandFailure) return error;
  const code = 'code' in error ? String(error.code) : '';
  const said = error.message || code;
  if (SCHEMA_MISSING.has(code)) {
    const message = `the database's schema is not of this version, migrate it first (${said})`;
    return new CommandFailure(EXIT.refused, message, error);
  }
  // Names of sockets' errors, or classes of PostgreSQL about connections, logins and shutdowns.
  const unreached = /^(E[A-Z]{3,}|08...|28...|3D...|53...|57P..)$/.test(code);
  if (unreached || /timeout|terminated/i.test(said)) {
    return new CommandFailure(EXIT.unreachable, `cannot reach the database: ${said}`, error);
  }
  return error;
}
