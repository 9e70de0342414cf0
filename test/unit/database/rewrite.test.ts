import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { CHANGES_LEFT_MAX } from '../../../functions/database/bring-over.ts';
import { currentPosition, readChanges } from '../../../functions/database/changes.ts';
import { makeLogDay, trimLog } from '../../../functions/database/changes-log.ts';
import { DELETED_EVENTS_MAX, dropKinds } from '../../../functions/database/drop-kinds.ts';
import { merge, mergeOldest } from '../../../functions/database/merge-months.ts';
import { migrate } from '../../../functions/database/migrate.ts';
import { beforeOf, listMonths, type Month, monthAt } from '../../../functions/database/months.ts';
import { dropMonth, kindsOf, makeMonth } from '../../../functions/database/partitions.ts';
import { queryEvents } from '../../../functions/database/read.ts';
import { continueRewrite, rewrite, stepRewrite } from '../../../functions/database/rewrite.ts';
import { writeEvents } from '../../../functions/database/write.ts';
import { eventText, type NostrEvent } from '../../../functions/nostr/event.ts';
import { copyEvents } from '../../support/many-events.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { unsigned } from '../../support/unsigned.ts';
import { until } from '../../support/until.ts';

const at = (year: number, month: number) => Date.UTC(year, month - 1, 10) / 1_000;
const MONTH = monthAt(at(2024, 1));

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
const byTag = { tags: new Map([['t', ['x']]]) };
const found = async (filter = {}) =>
  (await queryEvents(database.pool, filter, { limit: 1e6 })).map(({ id }) => id);
let written = 0;
/** An event of its own, with two tags. */
const note = (created_at: number, kind = 1) => {
  written += 1;
  const tags = [
    ['t', 'x'],
    ['r', `${written}`],
  ];
  return unsigned({ created_at, kind, tags, content: `${written}` });
};
const deletionOf = ({ id, created_at }: NostrEvent) =>
  unsigned({ kind: 5, created_at, tags: [['e', id]] });
const many = (count: number, from: number, kind: number) =>
  Array.from({ length: count }, (_, n) => note(from + n, kind));
const names = async () => (await listMonths(database.pool)).map(({ name }) => name);
const makeMonths = async (count: number, first = at(2024, 1)): Promise<Month[]> => {
  const months = Array.from({ length: count }, (_, n) => monthAt(first, n));
  for (const month of months) await makeMonth(database.pool, month);
  return months;
};
const phase = async () => (await database.pool.query('select phase from rewrites')).rows[0]?.phase;
/** Whether somebody waits to have a table to himself. */
const waitsFor = async (table: string) => {
  const { rows } = await database.pool.query(
    `select from pg_locks where mode = 'AccessExclusiveLock' and not granted
      and relation = $1::regclass`,
    [table],
  );
  return rows.length > 0;
};
const fileOf = async (table: string) =>
  (await database.pool.query('select pg_relation_filenode($1::regclass) as file', [table])).rows[0];

/** That exactly these regular events are there, whichever way one looks, each with its two tags. */
async function expectStored(events: readonly NostrEvent[]): Promise<void> {
  const ids = new Set(events.map(({ id }) => id));
  expect(new Set(await found({ kinds: [1, 6, 7] }))).toEqual(ids);
  expect(new Set(await found(byTag))).toEqual(ids);
  const { rows } = await database.pool.query('select count(*)::int as tags from event_tags');
  expect(rows[0]).toEqual({ tags: 2 * events.length });
}

describe('a rewrite', () => {
  it('has everything that was written and deleted between any two of its steps', async () => {
    const months = await makeMonths(2);
    const at1 = (n: number) => months[0]!.from + 10_000 + n;
    const stay: NostrEvent[] = [];
    const old = many(40, at1(0), 1);
    await write(...old, ...many(40, at1(100), 7));
    const plan = {
      target: { name: 'y2024', from: months[0]!.from, to: months[1]!.to },
      sources: months.map(({ name }) => name),
      kinds: [7],
    };
    await rewrite(database.pool, plan, AbortSignal.abort());
    let brief: NostrEvent | undefined;
    let steps = 0;
    for (; ; steps += 1) {
      // Of each step before: an event that stays, one of a kind that goes, one that comes and is
      // deleted before the next step, one that is deleted after it, and one that was there before.
      const [kept, gone, next] = [
        note(at1(200 + steps)),
        note(at1(300 + steps), 7),
        note(at1(steps)),
      ];
      const shortest = note(months[1]!.from + steps);
      await write(kept, gone, next, shortest);
      await write(deletionOf(shortest), ...(brief ? [deletionOf(brief)] : []));
      await write(deletionOf(old.shift()!));
      stay.push(kept);
      brief = next;
      if ((await stepRewrite(database.pool)) === 'nothing') break;
      const visible = new Set(await found(byTag));
      for (const each of [...stay, ...old]) expect(visible).toContain(each.id);
    }
    expect(steps).toBeGreaterThan(8);
    expect(await names()).toEqual(['y2024']);
    // What came after the exchange is none of the rewrite's business.
    const late = (await queryEvents(database.pool, { kinds: [7] }, { limit: 100 })).length;
    expect(late).toBe(1);
    expect(await dropKinds(database.pool, plan.target, [7])).toBe(true);
    await expectStored([...stay, ...old, brief!]);
  });

  it('goes on where the run before was told to stop, and before anything else is begun', async () => {
    const months = await makeMonths(3);
    const events = months.map(({ from }) => note(from));
    await write(...events);
    const [first, second, third] = [months[0]!, months[1]!, months[2]!];
    expect(await merge(database.pool, 'y2024a', [first, second], AbortSignal.abort())).toBe(false);
    expect(await stepRewrite(database.pool)).toBe('step');
    // Another one is not begun, since its months may be others by then.
    expect(await merge(database.pool, 'y2024b', [second, third])).toBe(false);
    expect(await names()).toEqual(['y2024a', third.name]);
    expect(await merge(database.pool, 'y2024', await listMonths(database.pool))).toBe(true);
    expect(await names()).toEqual(['y2024']);
    await expectStored(events);
  });

  it('copies a big partition by pieces, each in a transaction of its own', async () => {
    const [month] = await makeMonths(1);
    // About nine megabytes, in texts too short to be compressed.
    const noise = (n: number) => Array.from({ length: 24 }, (_, i) => hash('sha256', `${n} ${i}`));
    const events = many(4_500, month!.from, 1).map(({ created_at, tags }, n) =>
      unsigned({ created_at, tags, content: noise(n).join('') }),
    );
    await copyEvents(database.pool, events);
    await merge(database.pool, 'y2024', [month!], AbortSignal.abort());
    const pages = new Set<string>();
    while ((await stepRewrite(database.pool)) === 'step') {
      const { rows } = await database.pool.query('select part, page from rewrites');
      for (const { part, page } of rows) pages.add(`${part}: ${page}`);
    }
    expect([...pages]).toEqual(expect.arrayContaining(['0: 1000', '0: 2000']));
    await expectStored(events);
  });

  it('is made once where two do it at the same time', async () => {
    const months = await makeMonths(3);
    const events = months.flatMap(({ from }) => many(20, from, 1));
    await write(...events);
    const both = [1, 2].map(() => merge(database.pool, 'y2024', months));
    expect(await Promise.all(both)).toEqual([true, true]);
    expect(await names()).toEqual(['y2024']);
    await expectStored(events);
  });

  it('copies no tag without its event, be it an orphan or of an event that came meanwhile', async () => {
    const months = await makeMonths(2);
    const [kept, brief] = [note(months[0]!.from), note(months[0]!.from + 1)];
    await write(kept);
    const orphan = `insert into event_tags select tag, created_at, '${'0'.repeat(32)}', kind
      from event_tags`;
    await database.pool.query(orphan);
    await merge(database.pool, 'y2024', months, AbortSignal.abort());
    const part = async () => (await database.pool.query('select part from rewrites')).rows[0]?.part;
    // Past the events, so that the copy sees only the tags of this one.
    while ((await part()) < months.length) await stepRewrite(database.pool);
    await write(brief);
    while ((await part()) < 2 * months.length) await stepRewrite(database.pool);
    await write(deletionOf(brief));
    expect(await continueRewrite(database.pool)).toBe('done');
    await expectStored([kept]);
  });

  it('never has others wait for a backlog of changes, and goes on when that is brought over', async () => {
    const months = await makeMonths(2);
    await merge(database.pool, 'y2024', months, AbortSignal.abort());
    // The log can be read only up to here, so that all that comes is left for the exchange. With
    // this reader there, whoever wanted the table for himself would be refused.
    const slow = await database.pool.connect();
    await slow.query('begin');
    await slow.query('select pg_current_xact_id() from event_tags');
    await slow.query('select pg_current_xact_id()');
    const events = many(CHANGES_LEFT_MAX + 1, months[0]!.from, 1);
    await write(...events);
    expect(await continueRewrite(database.pool)).toBe('waits');
    expect(await phase()).toBe('event_tags');
    await expectStored(events);
    await slow.query('commit');
    slow.release();
    expect(await continueRewrite(database.pool)).toBe('done');
    expect(await names()).toEqual(['y2024']);
    await expectStored(events);
  });

  it.each(['event_tags', 'events'] as const)(
    'gives %s back where too much was written while it waited for them',
    async (table) => {
      const months = await makeMonths(2);
      await merge(database.pool, 'y2024', months, AbortSignal.abort());
      while ((await phase()) !== table) await stepRewrite(database.pool);
      const reading = await database.pool.connect();
      await reading.query('begin');
      await reading.query(`select from ${table}`);
      const step = stepRewrite(database.pool);
      await until(() => waitsFor(table), { what: 'the exchange to wait for the reader' });
      const events = many(CHANGES_LEFT_MAX + 1, months[0]!.from, 1);
      await write(...events);
      await reading.query('commit');
      reading.release();
      expect(await step).toBe('waits');
      expect(await phase()).toBe(table);
      expect(await continueRewrite(database.pool)).toBe('done');
      await expectStored(events);
    },
  );

  it('is given up when its month is dropped meanwhile, and leaves nothing behind', async () => {
    const months = await makeMonths(3);
    const events = months.map(({ from }) => note(from));
    await write(...events);
    await merge(database.pool, 'y2024', months, AbortSignal.abort());
    await dropMonth(database.pool, months[0]!);
    expect(await continueRewrite(database.pool)).toBe('void');
    expect(await merge(database.pool, 'y2024', months.slice(1))).toBe(true);
    await expectStored(events.slice(1));
    const { rows } = await database.pool.query("select from pg_class where relname like '%_new'");
    expect(rows).toEqual([]);
  });

  it('is finished for both tables before a month is dropped', async () => {
    const months = await makeMonths(2);
    const events = months.map(({ from }) => note(from));
    await write(...events);
    await merge(database.pool, 'y2024', months, AbortSignal.abort());
    const exchanged = async () => (await listMonths(database.pool, 'event_tags')).length === 1;
    while (!(await exchanged())) await stepRewrite(database.pool);
    expect(await names()).toHaveLength(2);
    await dropMonth(database.pool, months[0]!);
    expect(await names()).toEqual(['y2024']);
    await expectStored(events);
  });

  it('whose tags are exchanged is not given up for what others do, and keeps the log it needs', async () => {
    const months = await makeMonths(2);
    const events = months.map(({ from }) => note(from));
    await write(...events);
    await makeLogDay(database.pool, Date.now());
    await merge(database.pool, 'y2024', months, AbortSignal.abort());
    while ((await phase()) !== 'events') await stepRewrite(database.pool);
    const late = note(months[1]!.from + 1);
    await write(late, deletionOf(events.shift()!));
    // Somebody else's doing: the month is in another file now.
    await database.pool.query(`vacuum full events_${months[0]!.name}`);
    const later = Date.now() + 4 * 86_400_000;
    expect(await trimLog(database.pool, later, 24)).toBe(0);
    expect(await continueRewrite(database.pool)).toBe('done');
    expect(await names()).toEqual(['y2024']);
    await expectStored([...events, late]);
    expect(await trimLog(database.pool, later, 24)).toBeGreaterThan(0);
  });

  it('that was given up between the two tables all the same is undone before anything else', async () => {
    const months = await makeMonths(4);
    const events = months.map(({ from }) => note(from));
    await write(...events);
    await merge(database.pool, 'y2024', months.slice(1, 3), AbortSignal.abort());
    while ((await phase()) !== 'events') await stepRewrite(database.pool);
    const late = note(months[1]!.from + 1);
    await write(late);
    // Nothing here does this; what the log said is lost, so the copy must not be used.
    await database.pool.query("update changes_trimmed set below = '1000000000'");
    expect(await continueRewrite(database.pool)).toBe('void');
    await database.pool.query("update changes_trimmed set below = '0'");
    await expectStored([...events, late]);
    await expect(dropMonth(database.pool, months[0]!)).rejects.toThrow('cannot be dropped');
    const before = beforeOf(months)!;
    const plan = { target: before, sources: ['before'], kinds: [7] };
    expect(await rewrite(database.pool, plan)).toBe(false);
    for (const table of ['events', 'event_tags'] as const) {
      const left = (await listMonths(database.pool, table)).map(({ name }) => name);
      expect(left).toEqual([months[0]!.name, 'y2024', months[3]!.name]);
    }
    await expectStored([...events, late]);
    expect(await rewrite(database.pool, plan)).toBe(true);
    await dropMonth(database.pool, months[0]!);
    await expectStored([...events.slice(1), late]);
  });

  it('never stops readers or writers, and none of them is made to give way', async () => {
    const months = await makeMonths(3);
    await copyEvents(database.pool, many(DELETED_EVENTS_MAX + 1, MONTH.from, 7));
    const others = new pg.Pool({
      connectionString: database.url,
      max: 6,
      application_name: 'others',
    });
    const events: NostrEvent[] = [];
    let going = true;
    let reads = 0;
    const writer = async () => {
      for (let n = 0; going; n += 1) {
        const batch = [note(months[n % 3]!.from + n), note(months[(n + 1) % 3]!.from + n)];
        const gone = note(months[n % 3]!.from + n);
        const asNew = (list: NostrEvent[]) =>
          list.map((event) => ({ event, text: eventText(event) }));
        await writeEvents(others, asNew([...batch, gone]));
        await writeEvents(others, asNew([deletionOf(gone)]));
        events.push(...batch);
      }
    };
    const reader = async () => {
      for (; going; reads += 1) {
        const all = new Set(events.map(({ id }) => id));
        const filter = reads % 2 ? byTag : { kinds: [1] };
        const seen = await queryEvents(others, filter, { limit: 1e6 });
        const ids = new Set(seen.map(({ id }) => id));
        expect([...all].filter((id) => !ids.has(id))).toEqual([]);
      }
    };
    const everybody = Promise.all([writer(), writer(), reader(), reader()]);
    await until(() => events.length > 20 && reads > 4, { what: 'the others to begin' });
    expect(await dropKinds(database.pool, months[0]!, [7])).toBe(true);
    expect(await merge(database.pool, 'y2024', months)).toBe(true);
    const [wrote, read] = [events.length, reads];
    await until(() => events.length > wrote + 20 && reads > read + 4, {
      what: 'the others to go on',
    });
    going = false;
    await everybody;
    await others.end();
    expect(await names()).toEqual(['y2024']);
    await expectStored(events);
    // A backend tells its numbers at its end at the latest.
    const alive = "select from pg_stat_activity where application_name = 'others'";
    await until(async () => (await database.pool.query(alive)).rows.length === 0, {
      what: 'the connections of the others to end',
    });
    const { rows } = await database.pool.query(
      'select deadlocks::int from pg_stat_database where datname = current_database()',
    );
    expect(rows).toEqual([{ deadlocks: 0 }]);
  });
});

describe('kinds that leave', () => {
  it('leave a month without the others, tell so by the log, and may come again', async () => {
    await makeMonth(database.pool, MONTH);
    const kept = note(MONTH.from);
    await copyEvents(database.pool, many(DELETED_EVENTS_MAX + 1, MONTH.from, 7));
    await write(kept);
    expect(await kindsOf(database.pool, MONTH)).toEqual([1, 7]);
    const position = await currentPosition(database.pool);
    const file = await fileOf(`events_${MONTH.name}`);
    expect(await dropKinds(database.pool, MONTH, [7])).toBe(true);
    expect(await fileOf(`events_${MONTH.name}`)).not.toEqual(file);
    await expectStored([kept]);
    expect(await readChanges(database.pool, position, { rowsMax: 10 })).toMatchObject({
      changes: [{ type: 'dropped', kind: 7, fromSeconds: MONTH.from, toSeconds: MONTH.to - 1 }],
    });
    const again = note(MONTH.from, 7);
    await write(again);
    expect(await found({ kinds: [7] })).toEqual([again.id]);
  });

  it('are deleted one by one where they are few, and the month stays as it is', async () => {
    await makeMonth(database.pool, MONTH);
    const [kept, late] = [note(MONTH.from), note(MONTH.from + 1, 7)];
    await write(kept, late);
    const position = await currentPosition(database.pool);
    const file = await fileOf(`events_${MONTH.name}`);
    expect(await dropKinds(database.pool, MONTH, [7])).toBe(true);
    expect(await fileOf(`events_${MONTH.name}`)).toEqual(file);
    await expectStored([kept]);
    expect(await readChanges(database.pool, position, { rowsMax: 10 })).toMatchObject({
      changes: [{ type: 'removed', id: late.id }],
    });
  });

  it('are deleted by pieces where they are many, yet a small share of the month', async () => {
    await makeMonth(database.pool, MONTH);
    await copyEvents(database.pool, many(DELETED_EVENTS_MAX + 1, MONTH.from, 7));
    // As if it had a million others.
    await database.pool.query('update pg_class set reltuples = 1e6 where oid = $1::regclass', [
      `events_${MONTH.name}`,
    ]);
    const file = await fileOf(`events_${MONTH.name}`);
    expect(await dropKinds(database.pool, MONTH, [7], AbortSignal.abort())).toBe(false);
    expect(await dropKinds(database.pool, MONTH, [7])).toBe(true);
    expect(await fileOf(`events_${MONTH.name}`)).toEqual(file);
    await expectStored([]);
  });

  it('leave the time before the first month, too', async () => {
    await makeMonth(database.pool, monthAt(at(2026, 1)));
    const kept = note(at(2020, 1));
    await copyEvents(database.pool, many(DELETED_EVENTS_MAX + 1, at(2019, 1), 7));
    await write(kept);
    const before = beforeOf(await listMonths(database.pool))!;
    expect(await kindsOf(database.pool, before)).toEqual([1, 7]);
    expect(await dropKinds(database.pool, before, [7])).toBe(true);
    const late = [note(0), note(at(2025, 12))];
    await write(...late);
    await expectStored([kept, ...late]);
  });
});

describe('months', () => {
  it('are merged by years, the oldest first, where there are too many, and not the current year', async () => {
    const months = await makeMonths(26, at(2023, 11));
    const events = months.map(({ from }) => note(from + 1));
    await write(...events);
    const position = await currentPosition(database.pool);
    const now = at(2025, 12);
    expect(await mergeOldest(database.pool, now, AbortSignal.abort())).toBe(0);
    expect(await mergeOldest(database.pool, now)).toBe(2);
    expect(await mergeOldest(database.pool, now)).toBe(12);
    expect(await mergeOldest(database.pool, now)).toBe(0);
    const left = await listMonths(database.pool);
    expect(left.slice(0, 3).map(({ name }) => name)).toEqual(['y2023', 'y2024', 'y2025m01']);
    expect(left[0]).toMatchObject({ from: months[0]!.from, to: months[1]!.to });
    await expectStored(events);
    // Nothing left, so there is nothing to tell.
    expect(await readChanges(database.pool, position, { rowsMax: 10 })).toMatchObject({
      changes: [],
    });
    await makeMonth(database.pool, monthAt(at(2026, 1)));
    await dropMonth(database.pool, left[0]!);
    await expectStored(events.slice(2));
  });
});

describe('a column that comes while a partition is written anew', () => {
  const FILE = new URL('../../../functions/database/migrations/0008_journey.sql', import.meta.url);

  it('does not stop that, and is there afterwards', async () => {
    await database.pool.query(`
      alter table events drop column stored_at;
      alter table kept drop column stored_at;
      alter table dead_letters drop column event_id, drop column kind, drop column author,
        drop column decision;
      drop table dead_letter_decisions`);
    await makeMonth(database.pool, MONTH);
    const event = unsigned({ created_at: MONTH.from });
    await database.pool.query(
      'insert into events (created_at, key, author, kind, text) values ($1, $2, $3, 1, $4)',
      [event.created_at, event.id.slice(0, 32), event.pubkey.slice(0, 32), eventText(event)],
    );
    const plan = { target: { ...MONTH, name: 'anew' }, sources: [MONTH.name], kinds: [] };
    expect(await rewrite(database.pool, plan, AbortSignal.abort())).toBe(false);
    await database.pool.query(await readFile(FILE, 'utf8'));
    expect(await rewrite(database.pool, plan)).toBe(true);
    const later = unsigned({ created_at: MONTH.from + 1 });
    await writeEvents(database.pool, [{ event: later, text: eventText(later) }]);
    const { rows } = await database.pool.query(
      'select tableoid::regclass::text as name, stored_at from events order by created_at',
    );
    expect(rows).toEqual([
      { name: 'events_anew', stored_at: null },
      { name: 'events_anew', stored_at: expect.stringMatching(/^\d{13}$/) },
    ]);
  });
});
