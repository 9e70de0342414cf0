import { makeLogDay, trimLog } from '../../../functions/database/changes-log.ts';
import { currentPosition, readChanges } from '../../../functions/database/changes.ts';
import { buryMessages } from '../../../functions/database/dead-letters.ts';
import { heartbeat, silentInstances } from '../../../functions/database/instances.ts';
import { releaseLease, takeLease } from '../../../functions/database/leases.ts';
import { migrate } from '../../../functions/database/migrate.ts';
import {
  beforeOf,
  dropKinds,
  dropMonth,
  emptyBefore,
  kindsOf,
  listMonths,
  makeMonth,
  mergeOldest,
  mergeYear,
  monthAt,
} from '../../../functions/database/partitions.ts';
import { queryEvents } from '../../../functions/database/read.ts';
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

  it('lose single kinds without losing others', async () => {
    const [reaction, kept] = [note(at(2026, 1), 7), note(at(2026, 1), 1)];
    const month = monthAt(at(2026, 1));
    await makeMonth(database.pool, month);
    await write(reaction, kept);
    expect(await kindsOf(database.pool, month)).toEqual([1, 7]);
    const position = await currentPosition(database.pool);
    await dropKinds(database.pool, month, [7]);
    expect(await found()).toEqual([kept.id]);
    expect(await found({ tags: new Map([['t', ['x']]]) })).toEqual([kept.id]);
    expect(await readChanges(database.pool, position, { rowsMax: 10 })).toMatchObject({
      changes: [{ type: 'dropped', kind: 7 }],
    });
    const again = note(at(2026, 1) + 1, 7);
    await write(again);
    expect(await found({ kinds: [7] })).toEqual([again.id]);
  });

  it('lose many events of a kind in a moment that nobody waits for', async () => {
    const month = monthAt(at(2026, 1));
    await makeMonth(database.pool, month);
    // More than what is deleted one by one.
    await database.pool.query(`
      insert into events (created_at, key, author, kind, text)
      select ${month.from} + n, gen_random_uuid(), gen_random_uuid(), 7, '' from generate_series(1, 10001) n`);
    const [before, during] = [note(at(2026, 1)), note(at(2026, 1) + 1)];
    const [gone, late] = [note(at(2026, 1) + 2), note(at(2026, 1) + 3, 7)];
    await write(before, gone);
    // A writer that has begun when the copy is made and commits after it; and a deletion.
    const writing = await database.pool.connect();
    await writing.query('begin');
    await writing.query('lock table only events in row exclusive mode');
    const dropping = dropKinds(database.pool, month, [7]);
    await until(
      async () => {
        const { rows } = await database.pool.query(
          "select 1 from pg_locks where mode = 'AccessExclusiveLock' and not granted and relation = 'events'::regclass",
        );
        return rows.length > 0;
      },
      { what: 'the exchange to wait for the writer' },
    );
    await writing.query(
      `insert into events (created_at, key, author, kind, text) values ($1, $2, $3, $4, $5)`,
      [during.created_at, during.id.slice(0, 32), during.pubkey.slice(0, 32), 1, eventText(during)],
    );
    await writing.query(
      `insert into events (created_at, key, author, kind, text) values ($1, $2, $3, $4, $5)`,
      [late.created_at, late.id.slice(0, 32), late.pubkey.slice(0, 32), 7, eventText(late)],
    );
    await writing.query(`delete from events where key = $1`, [gone.id.slice(0, 32)]);
    await writing.query(
      `insert into changes (what, id, created_at, kind)
        values ('a', $1, $2, 1), ('a', $3, $4, 7), ('r', $5, null, null)`,
      [during.id, during.created_at, late.id, late.created_at, gone.id],
    );
    await writing.query('commit');
    writing.release();
    await dropping;
    expect(await found()).toEqual([during.id, before.id]);
    expect(await kindsOf(database.pool, month)).toEqual([1]);
  });

  it('keep readers and writers going while kinds leave and months are merged', async () => {
    const months = [1, 2, 3].map((n) => monthAt(at(2024, n)));
    for (const month of months) await makeMonth(database.pool, month);
    await database.pool.query(`
      insert into events (created_at, key, author, kind, text)
      select ${months[0]!.from} + n, gen_random_uuid(), gen_random_uuid(), 7, '' from generate_series(1, 10001) n`);
    let going = true;
    const written: NostrEvent[] = [];
    const writer = async () => {
      for (let n = 0; going; n += 1) {
        const event = unsigned({
          created_at: at(2024, 1 + (n % 3)) + n,
          tags: [['t', 'x']],
          content: String(n),
        });
        await write(event);
        written.push(event);
      }
    };
    const reader = async () => {
      while (going) {
        await queryEvents(database.pool, { tags: new Map([['t', ['x']]]) }, { limit: 5 });
        await queryEvents(database.pool, { kinds: [1] }, { limit: 5 });
      }
    };
    const all = Promise.all([writer(), reader(), reader()]);
    await until(() => written.length > 20, { what: 'writing to begin' });
    await dropKinds(database.pool, months[0]!, [7]);
    await mergeYear(database.pool, 2024);
    const atMerge = written.length;
    await until(() => written.length > atMerge + 20, { what: 'writing to go on' });
    going = false;
    await all;
    const ids = new Set(written.map(({ id }) => id));
    const byTag = { tags: new Map([['t', ['x']]]) };
    for (const filter of [{}, byTag]) {
      const stored = await queryEvents(database.pool, filter, { limit: 1e6 });
      expect(new Set(stored.map(({ id }) => id))).toEqual(ids);
    }
    expect((await listMonths(database.pool)).map(({ name }) => name)).toEqual(['y2024']);
  });

  it('are merged by years, the oldest first, where there are too many, and not the current year', async () => {
    const months = Array.from({ length: 26 }, (_, n) => monthAt(at(2023, 11), n));
    for (const month of months) await makeMonth(database.pool, month);
    const events = months.map(({ from }) => note(from + 1));
    await write(...events);
    const now = at(2025, 12);
    expect(await mergeOldest(database.pool, now)).toBe(2);
    expect(await mergeOldest(database.pool, now)).toBe(12);
    expect(await mergeOldest(database.pool, now)).toBe(0);
    const left = await listMonths(database.pool);
    expect(left.slice(0, 3).map(({ name }) => name)).toEqual(['y2023', 'y2024', 'y2025m01']);
    expect(left[0]).toMatchObject({ from: months[0]!.from, to: months[2]!.from });
    expect(await found()).toEqual(events.map(({ id }) => id).reverse());
    await makeMonth(database.pool, monthAt(at(2026, 1)));
    await dropMonth(database.pool, left[0]!);
    expect(await found()).toHaveLength(24);
  });

  it('give single kinds of the time before the first month away, too', async () => {
    const [reaction, kept] = [note(at(2020, 1), 7), note(at(2020, 1))];
    await makeMonth(database.pool, monthAt(at(2026, 1)));
    await write(reaction, kept);
    const before = beforeOf(await listMonths(database.pool))!;
    await database.pool.query(`
      insert into events (created_at, key, author, kind, text)
      select n, gen_random_uuid(), gen_random_uuid(), 7, '' from generate_series(1, 10001) n`);
    await dropKinds(database.pool, before, [7]);
    expect(await found()).toEqual([kept.id]);
    const late = note(at(2019, 1));
    await write(late);
    expect(await found()).toEqual([kept.id, late.id]);
  });

  it('empty the catch-all for earlier times', async () => {
    const [old, young] = [note(at(2020, 1)), note(at(2026, 1))];
    await makeMonth(database.pool, monthAt(at(2026, 1)));
    await write(old, young);
    await emptyBefore(database.pool);
    expect(await found()).toEqual([young.id]);
  });
});

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
