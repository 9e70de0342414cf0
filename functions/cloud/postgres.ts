import pg from 'pg';
import { openGoogleConnector, type SqlConnector } from './cloud-sql.ts';
import type { PostgresConfiguration } from './configuration.ts';
import type { Log } from './log.ts';
import { type PoolName, watchPool } from './metrics/pool.ts';
import type { Metrics } from './metrics/registry.ts';
import { RenewingConnector } from './renewing-connector.ts';

/** A pool of connections to the database; `close` ends them. */
export interface Postgres {
  readonly pool: pg.Pool;
  close(): Promise<void>;
}

export interface PostgresOptions extends PostgresConfiguration {
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
  readonly log: Log;
  /** Absent where nobody writes metrics: a command. */
  readonly metrics?: Metrics;
  /** What its metrics call the pool; `primary` by default. */
  readonly poolName?: PoolName;
  /** Opens a connector to the instance; by default Google's. */
  readonly openConnector?: (configuration: PostgresConfiguration) => Promise<SqlConnector>;
}

/** Time to get a connection, waiting for a free one of the pool included. */
const CONNECT_TIMEOUT_MS = 5_000;
/**
 * How much longer than the server's statement timeout a client waits for an answer: what a server
 * that is alive needs to say so. After it the server counts as hanging.
 */
const ANSWER_GRACE_MS = 5_000;
/** A transaction whose owner stopped talking gives its locks back after this time. */
const IDLE_TRANSACTION_TIMEOUT_MS = 15_000;

/**
 * Opens the pool: by `DATABASE_URL`, or to a Cloud SQL instance with IAM login, whose connector is
 * made again when its certificate went stale. Connections are made when first used; Google may be away
 * when a service starts. Errors of idle connections are logged and end nothing.
 */
export async function openPostgres(options: PostgresOptions): Promise<Postgres> {
  const shared: pg.PoolConfig = {
    max: options.DATABASE_POOL_MAX,
    application_name: options.applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    statement_timeout: options.DATABASE_STATEMENT_TIMEOUT_MS,
    query_timeout: options.DATABASE_STATEMENT_TIMEOUT_MS + ANSWER_GRACE_MS,
    idle_in_transaction_session_timeout: IDLE_TRANSACTION_TIMEOUT_MS,
    // Every statement here is a short probe; compiling one costs more than it runs.
    options: '-c jit=off',
  };
  if (options.DATABASE_URL !== undefined) {
    const pool = new pg.Pool({ ...shared, connectionString: options.DATABASE_URL });
    guard(pool, options);
    return { pool, close: () => pool.end() };
  }
  return openCloudSql(options, shared);
}

function openCloudSql(options: PostgresOptions, shared: pg.PoolConfig): Postgres {
  const open = options.openConnector ?? ((configuration) => openGoogleConnector(configuration));
  const connector = new RenewingConnector(() => open(options), options.log);
  // A cold start does other things meanwhile. Where this fails the first connection tells of it.
  connector.open().catch(() => undefined);
  const pool = new RenewingPool(
    {
      ...shared,
      stream: () => connector.stream(),
      ...(options.DATABASE_USER === undefined ? {} : { user: options.DATABASE_USER }),
      ...(options.DATABASE_NAME === undefined ? {} : { database: options.DATABASE_NAME }),
    },
    connector,
  );
  guard(pool, options);
  return {
    pool,
    async close() {
      await pool.end();
      connector.close();
    },
  };
}

/** An 'error' event without a listener ends the process; a lost connection must not. */
function guard(pool: pg.Pool, options: PostgresOptions): void {
  const { log, metrics, poolName = 'primary' } = options;
  if (metrics !== undefined) watchPool(pool, metrics, poolName);
  const report = (error: Error & { code?: string }) =>
    log.warning('database connection lost', {
      pool: poolName,
      code: error.code,
      reason: error.message,
    });
  pool.on('error', report);
  // The pool listens to idle connections only; one in use may break between two statements.
  pool.on('connect', (client) => client.on('error', () => undefined));
}

type ConnectCallback = (
  error: Error | undefined,
  client: pg.PoolClient | undefined,
  done: (release?: unknown) => void,
) => void;

/**
 * A pool whose connections come from a connector, which is opened before the first of them. When
 * connecting fails the connector is renewed, and connecting tried once more.
 */
class RenewingPool extends pg.Pool {
  readonly #connector: RenewingConnector;

  constructor(config: pg.PoolConfig, connector: RenewingConnector) {
    super(config);
    this.#connector = connector;
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(callback: ConnectCallback): void;
  override connect(callback?: ConnectCallback): Promise<pg.PoolClient> | undefined {
    const connected = this.#connectRenewed();
    if (callback === undefined) return connected;
    connected.then(
      (client) => callback(undefined, client, (release) => client.release(release as Error)),
      (error: Error) => callback(error, undefined, () => undefined),
    );
    return undefined;
  }

  async #connectRenewed(): Promise<pg.PoolClient> {
    await this.#connector.open();
    try {
      return await super.connect();
    } catch (error) {
      if (!this.#mayBeStale(error)) throw error;
      await this.#connector.renew();
      return super.connect();
    }
  }

  /** No verdict of the server except on login (class 28) says anything about a certificate. */
  #mayBeStale(error: unknown): boolean {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    // A SQLSTATE holds a digit, which tells it from EPIPE.
    if (/^(?=.*[0-9])[0-9A-Z]{5}$/.test(code) && !code.startsWith('28')) return false;
    const everyoneBusy = this.totalCount >= (this.options.max ?? Number.POSITIVE_INFINITY);
    return !everyoneBusy && !this.ending;
  }
}
