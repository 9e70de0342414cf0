import { currentPosition, readChanges } from '../../../functions/database/changes.ts';
import { makeLogDay, trimLog } from '../../../functions/database/changes-log.ts';
import { buryMessages } from '../../../functions/database/dead-letters.ts';
import { heartbeat, silentInstances } from '../../../functions/database/instances.ts';
import {
  releaseLease,
  renewLease,
  takeLease,
  withLease,
} from '../../../functions/database/leases.ts';
import { migrate } from '../../../functions/database/migrate.ts';
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
const note = (created_at: number, kind = 1) => unsigned({ created_at, kind, tags: [['t', 'x']] });

describe('the changes log', () => {
  it('is trimmed by the day, and a reader that is too far behind is told', async () => {
    const begin = await currentPosition(database.pool);
    await write(note(at(2026, 1)));
    const today = Date.now();
    expect(await makeLogDay(database.pool, today)).toBe(true);
    expect(await makeLogDay(database.pool, today)).toBe(false);
    expect(await trimLog(database.pool, today, 24)).toBe(0);
    expect(await readChanges(database.pool, begin, { rowsMax: 10 })).toMatchObject({ gap: false });
    expect(await trimLog(database.pool, today + 4 * 86_400_000, 24)).toBeGreaterThan(0);
    expect(await readChanges(database.pool, begin, { rowsMax: 10 })).toEqual({
      gap: true,
      restored: false,
    });
  });
});

describe('the days of the changes log', () => {
  it('stay while a transaction that is older than what they hold still writes', async () => {
    const slow = await database.pool.connect();
    await slow.query('begin');
    await slow.query('select pg_current_xact_id()');
    const begin = await currentPosition(database.pool);
    const event = note(at(2026, 1));
    await write(event);
    await makeLogDay(database.pool, Date.now());
    const later = Date.now() + 4 * 86_400_000;
    // Whoever loaded a snapshot now could come no further than to where the log had been cut.
    expect(await trimLog(database.pool, later, 1)).toBe(0);
    await slow.query('commit');
    slow.release();
    expect(await readChanges(database.pool, begin, { rowsMax: 10 })).toMatchObject({
      changes: [{ type: 'added', id: event.id }],
    });
    const position = await currentPosition(database.pool);
    expect(await trimLog(database.pool, later, 1)).toBe(1);
    expect(await readChanges(database.pool, position, { rowsMax: 10 })).toMatchObject({
      gap: false,
    });
  });

  it('are made and dropped without that a writer waits for who reads the log', async () => {
    const reading = await database.pool.connect();
    let written = 0;
    for (const change of [
      () => makeLogDay(database.pool, Date.now()),
      () => trimLog(database.pool, Date.now() + 4 * 86_400_000, 1),
    ]) {
      await reading.query('begin');
      await reading.query('select from changes');
      let over = false;
      const changing = change().finally(() => {
        over = true;
      });
      await until(waitsForLog, { what: 'the change to wait for the reader' });
      written += 1;
      await write(note(at(2026, 1) + written));
      expect(over).toBe(false);
      await reading.query('commit');
      expect(Number(await changing)).toBe(1);
    }
    reading.release();
  });

  it('leave no time out when upkeep did not run for a while, with and without writes', async () => {
    const day = 86_400_000;
    const now = Date.now();
    // As if upkeep had run some days ago, and not since.
    await makeLogDay(database.pool, now - 5 * day);
    const first = note(at(2026, 1));
    await write(first);
    expect(await makeLogDay(database.pool, now)).toBe(true);
    const position = await currentPosition(database.pool);
    const second = note(at(2026, 2));
    await write(second);
    expect(await makeLogDay(database.pool, now + 3 * day)).toBe(true);
    expect(await readChanges(database.pool, position, { rowsMax: 10 })).toMatchObject({
      changes: [{ type: 'added', id: second.id }],
    });
  });
});

/** Whether somebody waits to have the changes log to himself. */
async function waitsForLog(): Promise<boolean> {
  const { rows } = await database.pool.query(
    `select from pg_locks where mode = 'AccessExclusiveLock' and not granted
      and relation = 'changes'::regclass`,
  );
  return rows.length > 0;
}

describe('leases', () => {
  it('let one holder at a time in, until the lease is given back or runs out', async () => {
    const { pool } = database;
    const first = await takeLease(pool, { name: 'job', holder: 'a', seconds: 60 });
    expect(first).toBeDefined();
    expect(await takeLease(pool, { name: 'job', holder: 'b', seconds: 60 })).toBeUndefined();
    if (first !== undefined) await releaseLease(pool, first);
    expect(await takeLease(pool, { name: 'job', holder: 'b', seconds: -1 })).toBeDefined();
    expect(await takeLease(pool, { name: 'job', holder: 'c', seconds: 60 })).toBeDefined();
  });
});

describe('work under a lease', () => {
  it('keeps others out while it runs, and lets them in when it is over or has failed', async () => {
    const { pool } = database;
    let finish = (): void => {};
    const running = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const work = withLease(pool, { name: 'work', holder: 'a' }, () => running.then(() => 1));
    await until(
      async () => (await pool.query("select from leases where name = 'work'")).rowCount === 1,
      { what: 'the lease' },
    );
    expect(await withLease(pool, { name: 'work', holder: 'b' }, async () => 2)).toBeUndefined();
    finish();
    expect(await work).toBe(1);
    const failing = withLease(pool, { name: 'work', holder: 'c' }, async () => {
      throw new Error('failed');
    });
    await expect(failing).rejects.toThrow('failed');
    expect(await withLease(pool, { name: 'work', holder: 'd' }, async () => 4)).toBe(4);
  });

  it('can make the lease last longer, but not one that another has taken', async () => {
    const { pool } = database;
    await takeLease(pool, { name: 'long', holder: 'a', seconds: -1 });
    expect(await renewLease(pool, { name: 'long', holder: 'a', seconds: 60 })).toBe(true);
    expect(await takeLease(pool, { name: 'long', holder: 'b', seconds: 60 })).toBeUndefined();
    expect(await renewLease(pool, { name: 'long', holder: 'b', seconds: 60 })).toBe(false);
  });
});

describe('relay instances', () => {
  it('are silent only after their time, also when they were never heard of', async () => {
    const { pool } = database;
    await heartbeat(pool, 'living');
    expect(await silentInstances(pool, ['living', 'unknown'], 60)).toEqual([]);
    await pool.query("update relay_instances set seen_at = now() - interval '2 minutes'");
    await heartbeat(pool, 'living');
    expect(await silentInstances(pool, ['living', 'unknown'], 60)).toEqual(['unknown']);
  });
});

describe('buried dead letters', () => {
  it('are kept once, byte for byte', async () => {
    const message = {
      messageId: 'm1',
      reason: 'refused',
      sqlstate: '22021',
      attributes: { format: '1' },
      data: Buffer.from([0, 255, 10]),
    };
    await buryMessages(database.pool, [message, message]);
    const { rows } = await database.pool.query('select * from dead_letters');
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ reason: 'refused', data: message.data });
  });
});
