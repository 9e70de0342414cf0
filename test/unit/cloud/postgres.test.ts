import { connect, Socket } from 'node:net';
import type { SqlConnector } from '../../../functions/cloud/cloud-sql.ts';
import { type Log, openLog } from '../../../functions/cloud/log.ts';
import { Registry } from '../../../functions/cloud/metrics/registry.ts';
import {
  openPostgres,
  type Postgres,
  type PostgresOptions,
} from '../../../functions/cloud/postgres.ts';
import { migrate } from '../../../functions/database/migrate.ts';
import { queryEvents } from '../../../functions/database/read.ts';
import { writeEvents } from '../../../functions/database/write.ts';
import { eventText } from '../../../functions/nostr/event.ts';
import { countOf } from '../../support/metrics.ts';
import { usePostgres } from '../../support/postgres.ts';
import { unsigned } from '../../support/unsigned.ts';
import { until } from '../../support/until.ts';

const server = usePostgres();
const open: Postgres[] = [];

const silent: Log = openLog(
  { level: 'error', format: 'json', component: 'test' },
  { write: () => undefined },
);

async function start(options: Partial<PostgresOptions>): Promise<Postgres> {
  const postgres = await openPostgres({
    DATABASE_IP_TYPE: 'PRIVATE',
    DATABASE_POOL_MAX: 2,
    DATABASE_STATEMENT_TIMEOUT_MS: 1_000,
    applicationName: 'distrise-test',
    log: silent,
    ...options,
  });
  open.push(postgres);
  return postgres;
}

afterEach(async () => {
  for (const postgres of open.splice(0)) await postgres.close();
});

describe('openPostgres by a URL', () => {
  it('sets what every connection needs', async () => {
    const { url } = await server.createDatabase();
    const { pool } = await start({ DATABASE_URL: url });
    const { rows } = await pool.query(
      "select current_setting('jit') as jit, current_setting('statement_timeout') as timeout, " +
        "current_setting('application_name') as name",
    );
    expect(rows).toEqual([{ jit: 'off', timeout: '1s', name: 'distrise-test' }]);
  });

  it('ends a statement that takes too long with its SQLSTATE', async () => {
    const { url } = await server.createDatabase();
    const { pool } = await start({ DATABASE_URL: url, DATABASE_STATEMENT_TIMEOUT_MS: 100 });
    await expect(pool.query('select pg_sleep(10)')).rejects.toMatchObject({ code: '57014' });
  });

  it('survives connections that break while idle and while in use, and says so', async () => {
    const { url, pool: other } = await server.createDatabase();
    const lines: string[] = [];
    const log = openLog(
      { level: 'warning', format: 'json', component: 'test' },
      { write: (line) => void lines.push(line) },
    );
    const { pool } = await start({ DATABASE_URL: url, log });
    const used = await pool.connect();
    // An 'error' event without a listener would end the process.
    expect(used.listenerCount('error')).toBeGreaterThan(0);
    await pool.query('select 1');
    await other.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'distrise-test'",
    );
    await expect(used.query('select 1')).rejects.toThrow();
    used.release(true);
    // First the log: a query would take the broken connection, which then is not idle any more.
    await until(() => lines.join().includes('57P01'), { what: 'a line about the idle one' });
    await until(() => pool.query('select 1'), { what: 'a new connection' });
  });
});

/** A connector to the test's server; a stale one gives sockets that break. */
function connectorTo(url: string, stale: boolean): SqlConnector & { closed: boolean } {
  const port = Number(new URL(url).port);
  const connector = {
    closed: false,
    stream() {
      // Like Google's: the socket connects by itself, and pg's own connect() does nothing.
      const socket: Socket = stale ? new Socket() : connect(port, '127.0.0.1');
      socket.connect = () => socket;
      if (stale) setImmediate(() => socket.destroy(new Error('certificate has expired')));
      return socket;
    },
    close() {
      connector.closed = true;
    },
  };
  return connector;
}

describe('metrics of the pool', () => {
  it('count every wait for a connection, and say who has one and who waits', async () => {
    const { url } = await server.createDatabase();
    const metrics = new Registry('relay');
    const { pool } = await start({ DATABASE_URL: url, DATABASE_POOL_MAX: 1, metrics });
    const state = (of: string) => countOf(metrics, 'database_connections', { state: of });
    const client = await pool.connect();
    const waiting = pool.query('select 1');
    expect([state('active'), state('idle'), state('waiting')]).toEqual([1, 0, 1]);
    expect(countOf(metrics, 'database_wait')).toBe(1);
    client.release();
    await waiting;
    expect(countOf(metrics, 'database_wait')).toBe(2);
    expect([state('active'), state('idle'), state('waiting')]).toEqual([0, 1, 0]);
  });

  it('tell the pool of a replica from the primary', async () => {
    const { url } = await server.createDatabase();
    const metrics = new Registry('relay');
    await start({ DATABASE_URL: url, metrics });
    const { pool } = await start({ DATABASE_URL: url, metrics, poolName: 'replica' });
    await pool.query('select 1');
    const waits = ['primary', 'replica'].map((of) =>
      countOf(metrics, 'database_wait', { pool: of }),
    );
    expect(waits).toEqual([0, 1]);
  });

  it('count a wait that was in vain', async () => {
    const metrics = new Registry('relay');
    const { pool } = await start({ DATABASE_URL: 'postgres://127.0.0.1:1/none', metrics });
    await expect(pool.query('select 1')).rejects.toThrow();
    await expect(pool.connect()).rejects.toThrow();
    expect(countOf(metrics, 'database_wait')).toBe(2);
  });
});

describe('openPostgres by an instance of Cloud SQL', () => {
  const instance = {
    INSTANCE_CONNECTION_NAME: 'p:r:i',
    DATABASE_USER: 'postgres',
  };

  it('makes the connector again when its certificate went stale, once for all who wait', async () => {
    const { url } = await server.createDatabase();
    const made: (SqlConnector & { closed: boolean })[] = [];
    const { pool } = await start({
      ...instance,
      DATABASE_NAME: new URL(url).pathname.slice(1),
      openConnector: async () => {
        const connector = connectorTo(url, made.length === 0);
        made.push(connector);
        return connector;
      },
    });
    const results = await Promise.all([1, 2].map((n) => pool.query('select $1::int as n', [n])));
    expect(results.map(({ rows }) => rows[0])).toEqual([{ n: 1 }, { n: 2 }]);
    expect(made.map(({ closed }) => closed)).toEqual([true, false]);
  });

  it('asks for no new certificate again and again while the instance is away', async () => {
    let made = 0;
    const { pool } = await start({
      ...instance,
      DATABASE_NAME: 'any',
      openConnector: async () => {
        made += 1;
        return connectorTo('postgres://127.0.0.1:1/any', true);
      },
    });
    for (let turn = 0; turn < 5; turn += 1) {
      await expect(pool.query('select 1')).rejects.toThrow('certificate has expired');
    }
    expect(made).toBe(2);
  });

  it('does not blame the certificate when the server itself refuses', async () => {
    const { url } = await server.createDatabase();
    let made = 0;
    const { pool } = await start({
      ...instance,
      DATABASE_NAME: 'no-such-database',
      openConnector: async () => {
        made += 1;
        return connectorTo(url, false);
      },
    });
    await expect(pool.query('select 1')).rejects.toMatchObject({ code: '3D000' });
    expect(made).toBe(1);
  });

  it('closes the connector with the pool', async () => {
    const { url } = await server.createDatabase();
    const connector = connectorTo(url, false);
    const postgres = await start({
      ...instance,
      DATABASE_NAME: new URL(url).pathname.slice(1),
      openConnector: async () => connector,
    });
    await postgres.pool.query('select 1');
    open.length = 0;
    await postgres.close();
    expect(connector.closed).toBe(true);
  });
});

describe('reading over connections with time limits', () => {
  it('survives more given-up queries than there are connections, and keeps those', async () => {
    const { url } = await server.createDatabase();
    await migrate(url);
    const { pool } = await start({ DATABASE_URL: url });
    const event = unsigned({ content: 'x'.repeat(1_000) });
    await writeEvents(pool, [{ event, text: eventText(event) }]);
    const before = pool.totalCount;
    for (let n = 0; n < 5; n += 1) {
      const refused = queryEvents(
        pool,
        {},
        {
          limit: 10,
          take() {
            throw new Error('too much');
          },
        },
      );
      await expect(refused).rejects.toThrow('too much');
    }
    expect(pool.totalCount).toBe(Math.max(1, before));
    const locker = await pool.connect();
    await locker.query('begin; lock table events in access exclusive mode');
    for (let n = 0; n < 3; n += 1) {
      const stop = new AbortController();
      const waiting = queryEvents(pool, {}, { limit: 10, signal: stop.signal });
      stop.abort(new Error('given up'));
      await expect(waiting).rejects.toThrow('given up');
    }
    // The server's own time limit ends it, too.
    await expect(queryEvents(pool, {}, { limit: 10 })).rejects.toThrow(/statement timeout/);
    await locker.query('rollback');
    locker.release();
    expect(await queryEvents(pool, {}, { limit: 10 })).toHaveLength(1);
  });
});
