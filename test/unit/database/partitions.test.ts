import pg from 'pg';
import { currentPosition, readChanges } from '../../../functions/database/changes.ts';
import { migrate } from '../../../functions/database/migrate.ts';
import { listMonths, monthAt } from '../../../functions/database/months.ts';
import {
  dropMonth,
  emptyBefore,
  makeMonth,
  settle,
} from '../../../functions/database/partitions.ts';
import { queryEvents } from '../../../functions/database/read.ts';
import { continueRewrite, rewrite, stepRewrite } from '../../../functions/database/rewrite.ts';
import { writeEvents } from '../../../functions/database/write.ts';
import { eventText, type NostrEvent } from '../../../functions/nostr/event.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { unsigned } from '../../support/unsigned.ts';
import { until } from '../../support/until.ts';

const at = (year: number, month: number) => Date.UTC(year, month - 1, 10) / 1_000;

/** Keeps the server up between two tests. */
let keeper: TestDatabase;
let database: TestDatabase;

beforeAll(async () => {
  keeper = await createDatabase();
});
afterAll(() => keeper.drop());
beforeEach(async () => {
  database = await createDatabase();
  await migrate(database.url);
});
afterEach(() => database.drop());

const write = (...events: NostrEvent[]) =>
  writeEvents(
    database.pool,
    events.map((event) => ({ event, text: eventText(event) })),
  );
const found = async (filter = {}) =>
  (await queryEvents(database.pool, filter, { limit: 100 })).map(({ id }) => id);
const note = (created_at: number, kind = 1) => unsigned({ created_at, kind, tags: [['t', 'x']] });

describe('partitions', () => {
  it('are split off the catch-all with what lies there, and every event is still found', async () => {
    const events = [note(at(2024, 1)), note(at(2026, 1)), note(at(2026, 2)), note(at(2027, 1))];
    await write(...events);
    for (const month of [1, 2, 3]) await makeMonth(database.pool, monthAt(at(2026, month)));
    expect((await listMonths(database.pool)).map(({ name }) => name)).toEqual([
      'y2026m01',
      'y2026m02',
      'y2026m03',
    ]);
    const ids = events.map(({ id }) => id).reverse();
    expect(await found()).toEqual(ids);
    expect(await found({ tags: new Map([['t', ['x']]]) })).toEqual(ids);
  });

  it('are made once, however often they are asked for', async () => {
    const month = monthAt(at(2026, 1));
    await makeMonth(database.pool, month);
    await makeMonth(database.pool, month);
    expect(await listMonths(database.pool)).toHaveLength(1);
  });

  it('leave whole, tell so by the log, and events of that time can still come', async () => {
    const [old, young, profile] = [note(at(2026, 1)), note(at(2026, 2)), note(at(2026, 1), 0)];
    await write(old, young, profile);
    for (const month of [1, 2]) await makeMonth(database.pool, monthAt(at(2026, month)));
    const position = await currentPosition(database.pool);
    await dropMonth(database.pool, monthAt(at(2026, 1)));
    expect(await found()).toEqual([young.id, profile.id]);
    const read = await readChanges(database.pool, position, { rowsMax: 10 });
    const { from, to } = monthAt(at(2026, 1));
    expect(read).toMatchObject({
      changes: [{ type: 'dropped', fromSeconds: from, toSeconds: to - 1 }],
    });
    const late = note(at(2026, 1), 7);
    await write(late);
    expect(await found({ kinds: [7] })).toEqual([late.id]);
  });

  it('empty the catch-all for earlier times', async () => {
    const [old, young] = [note(at(2020, 1)), note(at(2026, 1))];
    await makeMonth(database.pool, monthAt(at(2026, 1)));
    await write(old, young);
    await emptyBefore(database.pool);
    expect(await found()).toEqual([young.id]);
  });

  it('tell of a row that came just before the catch-all was emptied', async () => {
    await makeMonth(database.pool, monthAt(at(2026, 1)));
    await write(note(at(2020, 1)));
    const position = await currentPosition(database.pool);
    const late = note(at(2021, 1));
    const writing = await database.pool.connect();
    await writing.query('begin');
    await writing.query(
      'insert into events (created_at, key, author, kind, text) values ($1, $2, $3, 1, $4)',
      [late.created_at, late.id.slice(0, 32), late.pubkey.slice(0, 32), eventText(late)],
    );
    const emptying = emptyBefore(database.pool);
    await until(() => waitsFor('events'), { what: 'the emptying to wait for the writer' });
    await writing.query('commit');
    writing.release();
    await emptying;
    expect(await found()).toEqual([]);
    expect(await readChanges(database.pool, position, { rowsMax: 10 })).toMatchObject({
      changes: [{ type: 'dropped', fromSeconds: 0, toSeconds: late.created_at }],
    });
  });

  it('give way to a reader that has one of the tables and wants the other', async () => {
    const month = monthAt(at(2026, 1));
    await makeMonth(database.pool, month);
    await write(note(at(2026, 1)));
    const reading = await database.pool.connect();
    await reading.query('begin');
    for (const [first, then] of [
      ['event_tags', 'events'],
      ['events', 'event_tags'],
    ] as const) {
      await reading.query(`select from ${first}`);
      const changing = makeMonth(database.pool, monthAt(at(2026, first === 'events' ? 3 : 2)));
      await until(() => waitsFor(first), { what: 'the change to wait for the reader' });
      await reading.query(`select from ${then}`);
      await reading.query('commit');
      await changing;
      await reading.query('begin');
    }
    await reading.query('rollback');
    reading.release();
    expect(await listMonths(database.pool)).toHaveLength(3);
  });

  it('leave no tag behind of an event that comes while its month is dropped', async () => {
    const months = [1, 2].map((n) => monthAt(at(2026, n)));
    for (const month of months) await makeMonth(database.pool, month);
    await write(note(at(2026, 1)));
    const reading = await database.pool.connect();
    await reading.query('begin');
    await reading.query('select from events');
    const dropping = dropMonth(database.pool, months[0]!);
    await until(() => waitsFor('events'), { what: 'the drop to wait for the reader' });
    // The month has no tags any more; this writer comes when the drop gives way for a while.
    await write(note(at(2026, 1) + 1));
    await reading.query('commit');
    reading.release();
    await dropping;
    expect(await found()).toEqual([]);
    const { rows } = await database.pool.query('select * from event_tags');
    expect(rows).toEqual([]);
  });

  it.each(['a month', 'the catch-all'])(
    'that were dropped of tags only leave the events, too, and no tag: %s',
    async (what) => {
      const months = [1, 2].map((n) => monthAt(at(2026, n)));
      for (const month of months) await makeMonth(database.pool, month);
      const time = what === 'a month' ? at(2026, 1) : at(2020, 1);
      const young = note(at(2026, 2));
      await write(note(time), young);
      const position = await currentPosition(database.pool);
      const reading = await database.pool.connect();
      await reading.query('begin');
      await reading.query('select from events');
      await cutOff((pool) =>
        what === 'a month' ? dropMonth(pool, months[0]!) : emptyBefore(pool),
      );
      await reading.query('commit');
      reading.release();
      // The tags are gone; this event's will have none to go with.
      await write(note(time + 1));
      expect(await settle(database.pool)).toBe(true);
      expect(await found()).toEqual([young.id]);
      const { rows } = await database.pool.query('select created_at::int from event_tags');
      expect(rows).toEqual([{ created_at: young.created_at }]);
      const bounds = await Promise.all([
        listMonths(database.pool),
        listMonths(database.pool, 'event_tags'),
      ]);
      expect(bounds[0]).toEqual(bounds[1]);
      const { changes } = (await readChanges(database.pool, position, { rowsMax: 10 })) as {
        changes: { type: string }[];
      };
      expect(changes.filter(({ type }) => type === 'dropped')).toHaveLength(1);
      // Once only: what comes now is nobody's business.
      const late = note(time + 2);
      await write(late);
      expect(await settle(database.pool)).toBe(true);
      expect(await found()).toEqual([young.id, late.id]);
    },
  );

  it('that somebody else has half dropped meanwhile stay known as that', async () => {
    const months = [1, 2, 3].map((n) => monthAt(at(2026, n)));
    for (const month of months) await makeMonth(database.pool, month);
    const young = note(at(2026, 3));
    await write(note(at(2026, 1)), note(at(2026, 2)), young);
    // This one is overtaken between the drop of its events and the end of its business.
    const pool = laggingPool(async () => {
      expect(await settle(database.pool)).toBe(true);
      const reading = await database.pool.connect();
      await reading.query('begin');
      await reading.query('select from events');
      await cutOff((other) => dropMonth(other, months[1]!));
      await reading.query('commit');
      reading.release();
    });
    await dropMonth(pool, months[0]!);
    await pool.end();
    expect(await settle(database.pool)).toBe(true);
    expect(await found()).toEqual([young.id]);
  });

  it('stay where a rewrite exchanged their tags since it was looked whether one had', async () => {
    const month = monthAt(at(2026, 1));
    await makeMonth(database.pool, month);
    const stays = note(at(2026, 1));
    await write(stays, note(at(2026, 1), 7));
    const plan = { target: month, sources: [month.name], kinds: [7] };
    await rewrite(database.pool, plan, AbortSignal.abort());
    const comesTo = async (wanted: string): Promise<void> => {
      const phase = async () => (await database.pool.query('select phase from rewrites')).rows[0];
      while ((await phase())?.phase !== wanted) await stepRewrite(database.pool);
    };
    await comesTo('event_tags');
    const pool = overtakenPool(() => comesTo('events'));
    await expect(dropMonth(pool, month)).rejects.toThrow(/cannot be dropped/);
    await pool.end();
    expect(await continueRewrite(database.pool)).toBe('done');
    expect(await found()).toEqual([stays.id]);
    await dropMonth(database.pool, month);
    expect(await found()).toEqual([]);
  });
});

/** A pool of somebody who is overtaken once when it has looked at the partitions of the tags. */
function overtakenPool(overtake: () => Promise<void>): pg.Pool {
  const pool = new pg.Pool({ connectionString: database.url });
  const look = pool.query.bind(pool) as (text: string, values?: unknown[]) => Promise<unknown>;
  let overtaken = false;
  const query = async (text: string, values?: unknown[]) => {
    const result = await look(text, values);
    if (!overtaken && values?.[0] === 'event_tags') {
      overtaken = true;
      await overtake();
    }
    return result;
  };
  return Object.assign(pool, { query });
}

/** A pool of somebody who is overtaken once when the events of a half drop have gone, too. */
function laggingPool(overtake: () => Promise<void>): pg.Pool {
  const pool = new pg.Pool({ connectionString: database.url });
  const connect = pool.connect.bind(pool) as (...given: unknown[]) => Promise<pg.PoolClient>;
  let overtaken = false;
  const isLate = async () =>
    (await database.pool.query('select from half_drops where events_too')).rows.length > 0;
  const overtakenConnect = async (...given: unknown[]) => {
    // Only work of its own asks without a callback.
    if (given.length === 0 && !overtaken && (await isLate())) {
      overtaken = true;
      await overtake();
    }
    return connect(...given);
  };
  return Object.assign(pool, { connect: overtakenConnect });
}

/** Kills a change of partitions when it has done the tags and waits for the events. */
async function cutOff(change: (pool: pg.Pool) => Promise<void>): Promise<void> {
  const pool = new pg.Pool({ connectionString: database.url });
  pool.on('connect', (client) => client.on('error', () => undefined));
  const failed = expect(change(pool)).rejects.toThrow();
  await until(
    async () => {
      const { rows } = await database.pool.query(
        `select pg_terminate_backend(pid) from pg_locks where mode = 'AccessExclusiveLock'
          and not granted and relation = 'events'::regclass`,
      );
      return rows.length > 0;
    },
    { what: 'the change to wait for the events' },
  );
  await failed;
  await pool.end();
}

/** Whether somebody waits to have a table to himself. */
async function waitsFor(table: string): Promise<boolean> {
  const { rows } = await database.pool.query(
    `select from pg_locks where mode = 'AccessExclusiveLock' and not granted
      and relation = $1::regclass`,
    [table],
  );
  return rows.length > 0;
}
