import type { Duplex } from 'node:stream';
import pg from 'pg';
import type { PostgresConfiguration } from './configuration.ts';
import type { Log } from './log.ts';
import { watchPool } from './metrics/pool.ts';
import type { Metrics } from './metrics/registry.ts';

/** A pool of connections to the database; `close` ends them. */
export interface Postgres {
  readonly pool: pg.Pool;
  close(): Promise<void>;
}

/** Makes raw connections to one Cloud SQL instance; holds a certificate that can go stale. */
export interface SqlConnector {
  /** A connected socket for one PostgreSQL connection. */
  stream(): Duplex;
  close(): void;
}

export interface PostgresOptions extends PostgresConfiguration {
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
  readonly log: Log;
  /** Absent where nobody writes metrics: a command. */
  readonly metrics?: Metrics;
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
/** Google's API for certificates is asked at most so often, however many connections fail. */
const RENEW_INTERVAL_MS = 30_000;

/**
 * Opens the pool: by `DATABASE_URL`, or to a Cloud SQL instance with IAM login, whose connector is
 * made again when its certificate went stale. Connections are made when first used. Errors of idle
 * connections are logged and end nothing.
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

async function openCloudSql(options: PostgresOptions, shared: pg.PoolConfig): Promise<Postgres> {
  const open = options.openConnector ?? openGoogleConnector;
  let connector = await open(options);
  const renew = async () => {
    const stale = connector;
    connector = await open(options);
    stale.close();
    options.log.warning('connector to Cloud SQL made again');
  };
  const pool = new RenewingPool(
    {
      ...shared,
      stream: () => connector.stream(),
      ...(options.DATABASE_USER === undefined ? {} : { user: options.DATABASE_USER }),
      ...(options.DATABASE_NAME === undefined ? {} : { database: options.DATABASE_NAME }),
    },
    renew,
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

/** Imported only here: who uses a plain URL never loads the connector or looks for credentials. */
async function openGoogleConnector(configuration: PostgresConfiguration): Promise<SqlConnector> {
  const { AuthTypes, Connector, IpAddressTypes } = await import(
    '@google-cloud/cloud-sql-connector'
  );
  const connector = new Connector();
  try {
    const { stream } = await connector.getOptions({
      instanceConnectionName: configuration.INSTANCE_CONNECTION_NAME ?? '',
      ipType: IpAddressTypes[configuration.DATABASE_IP_TYPE],
      authType: AuthTypes.IAM,
    });
    return { stream, close: () => connector.close() };
  } catch (error) {
    // Its refresh timer would keep the process alive.
    connector.close();
    throw error;
  }
}

/** An 'error' event without a listener ends the process; a lost connection must not. */
function guard(pool: pg.Pool, { log, metrics }: PostgresOptions): void {
  if (metrics !== undefined) watchPool(pool, metrics);
  const report = (error: Error & { code?: string }) =>
    log.warning('database connection lost', { code: error.code, reason: error.message });
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
 * A pool that renews what its connections are made of when connecting fails, and tries once more.
 * Google's connector refreshes its certificate by a timer, which a function without CPU between
 * requests may miss; it offers no refresh on use.
 */
class RenewingPool extends pg.Pool {
  readonly #renew: () => Promise<void>;
  #renewing: Promise<void> | undefined;
  #renewedAt = Number.NEGATIVE_INFINITY;

  constructor(config: pg.PoolConfig, renew: () => Promise<void>) {
    super(config);
    this.#renew = renew;
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
    try {
      return await super.connect();
    } catch (error) {
      if (!this.#mayBeStale(error)) throw error;
      await this.#renewOnce();
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

  /** Callers that fail together share one renewal. */
  async #renewOnce(): Promise<void> {
    if (this.#renewing === undefined) {
      if (performance.now() - this.#renewedAt < RENEW_INTERVAL_MS) return;
      this.#renewing = this.#renew().finally(() => {
        this.#renewedAt = performance.now();
        this.#renewing = undefined;
      });
    }
    await this.#renewing;
  }
}
