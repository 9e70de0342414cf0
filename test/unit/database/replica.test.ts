import pg from 'pg';
import { cancellable, nameServer } from '../../../functions/database/cancel.ts';
import { currentPosition } from '../../../functions/database/changes.ts';
import { migrate } from '../../../functions/database/migrate.ts';
import {
  askReplica,
  isBusy,
  queryReplica,
  ReplicaBehind,
} from '../../../functions/database/replica.ts';
import { isPoolBusy } from '../../../functions/database/session.ts';
import { writeEvents } from '../../../functions/database/write.ts';
import { eventText } from '../../../functions/nostr/event.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { authorOf, unsigned } from '../../support/unsigned.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createDatabase();
  await migrate(database.url);
});
afterAll(() => database.drop());

const ask = (least: number, filter = {}) =>
  queryReplica(database.pool, filter, { limit: 10, least });

const poolOf = (connectionTimeoutMillis: number) =>
  new pg.Pool({ connectionString: database.url, max: 1, connectionTimeoutMillis });

describe('a pool whose connections are all taken', () => {
  it('is busy once as many wait as there are, while the server still says how it is', async () => {
    const pool = poolOf(0);
    const taken = await pool.connect();
    expect(isBusy(pool)).toBe(false);
    const waiting = queryReplica(pool, {}, { limit: 1, least: 0 });
    expect(isBusy(pool)).toBe(true);
    await askReplica(pool);
    taken.release();
    await waiting;
    await pool.end();
  });

  it('tells that of a wait that was too long, which is nothing that the server said', async () => {
    const pool = poolOf(1_000);
    const taken = await pool.connect();
    const asked = queryReplica(pool, {}, { limit: 1, least: 0 });
    const error = await asked.catch((reason: unknown) => reason);
    expect(isPoolBusy(error)).toBe(true);
    taken.release();
    await pool.end();
  });

  it('keeps its connection after a question that was given up while it waited', async () => {
    const pool = poolOf(0);
    const taken = await pool.connect();
    const abort = new AbortController();
    const { signal } = abort;
    const waiting = queryReplica(pool, {}, { limit: 1, least: 0, signal });
    abort.abort(new Error('given up'));
    taken.release();
    await expect(waiting).rejects.toThrow('given up');
    expect(pool.idleCount).toBe(1);
    await pool.end();
  });
});

describe('a query of a server that may lag', () => {
  it('gives the rows and a position below which nothing is missing', async () => {
    const event = unsigned();
    await writeEvents(database.pool, [{ event, text: eventText(event) }]);
    const least = await currentPosition(database.pool);
    const { events, position } = await ask(least);
    expect(events.map(({ id }) => id)).toEqual([event.id]);
    expect(position).toBeGreaterThanOrEqual(least);
  });

  it('is refused below the position that is wanted, and the connection stays', async () => {
    const { pool } = database;
    const processId = 'select pg_backend_pid() as pid';
    const before = await pool.query(processId);
    const far = (await currentPosition(pool)) + 1_000;
    await expect(ask(far)).rejects.toBeInstanceOf(ReplicaBehind);
    // Many walks are one transaction.
    const authors = Array.from({ length: 30 }, (_, n) => authorOf(n));
    await expect(ask(far, { authors })).rejects.toBeInstanceOf(ReplicaBehind);
    expect((await pool.query(processId)).rows).toEqual(before.rows);
    await ask(0);
  });

  it('is counted as behind while another writes for long, though later ones have ended', async () => {
    const writing = await database.pool.connect();
    await writing.query('begin; select pg_current_xact_id()');
    const event = unsigned({ content: 'later' });
    const { transaction } = await writeEvents(database.pool, [{ event, text: eventText(event) }]);
    await expect(ask(transaction + 1)).rejects.toBeInstanceOf(ReplicaBehind);
    await writing.query('commit');
    writing.release();
  });
});

describe('a statement that is given up', () => {
  const sleep = async (server: string) => {
    const client = await database.pool.connect();
    nameServer(client, server);
    const abort = new AbortController();
    let ended = '';
    const given = cancellable(database.pool, client, abort.signal, () => {
      const slept = client.query('select pg_sleep(0.5)').then(
        () => {
          ended = 'slept';
        },
        (error: Error & { code?: string }) => {
          ended = error.code ?? '';
          throw error;
        },
      );
      abort.abort(new Error('given up'));
      return slept;
    });
    await expect(given).rejects.toThrow('given up');
    client.release(true);
    return ended;
  };

  it('is cancelled on its own server, and left alone on another one of the pool', async () => {
    const { rows } = await database.pool.query('select pg_postmaster_start_time()::text as server');
    expect(await sleep(rows[0].server)).toBe('57014');
    expect(await sleep('2000-01-01 00:00:00+00')).toBe('slept');
  });
});
