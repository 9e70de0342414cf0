import { Registry } from '../../../functions/cloud/metrics/registry.ts';
import { readArrivals } from '../../../functions/database/arrivals.ts';
import { migrate } from '../../../functions/database/migrate.ts';
import { readSent } from '../../../functions/database/sent.ts';
import { addSource, type Source, sourceById } from '../../../functions/database/sources.ts';
import { type Seen, writeEvents } from '../../../functions/database/write.ts';
import { parseFetchConfiguration } from '../../../functions/fetch/configuration.ts';
import { SENT_AT_A_TIME, SENT_TRIES_MAX } from '../../../functions/fetch/limits.ts';
import { FetchMeter } from '../../../functions/fetch/meter.ts';
import { piecePorts } from '../../../functions/fetch/parts.ts';
import { type SendPorts, sendEvents } from '../../../functions/fetch/send.ts';
import { newTally } from '../../../functions/fetch/tally.ts';
import { eventText, type NostrEvent } from '../../../functions/nostr/event.ts';
import type { Filter } from '../../../functions/nostr/filter.ts';
import { ItemsBuilder } from '../../../functions/nostr/negentropy/builder.ts';
import { connect } from '../../../functions/upstream/connection.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { silentLog } from '../../support/pubsub.ts';
import { type ScriptedRelay, startScriptedRelay } from '../../support/scripted-relay.ts';
import { authorOf, unsigned } from '../../support/unsigned.ts';

/** The relay's OK: accepted, and its words; undefined is silence. */
type Answer = (event: NostrEvent) => readonly [boolean, string] | undefined;

const taken: Answer = () => [true, ''];
const NOW = 1_700_000_000;

let keeper: TestDatabase;
let database: TestDatabase;
let relay: ScriptedRelay;
let source: Source;
let answer: Answer;
let offered: string[];
beforeAll(async () => {
  keeper = await createDatabase();
});
afterAll(() => keeper.drop());
beforeEach(async () => {
  database = await createDatabase();
  await migrate(database.url);
  answer = taken;
  offered = [];
  relay = await startScriptedRelay({
    onMessage([verb, event], client) {
      if (verb !== 'EVENT') return;
      const { id, content } = event as NostrEvent;
      offered.push(content);
      const said = answer(event as NostrEvent);
      if (said !== undefined) client.send(['OK', id, ...said]);
    },
  });
  source = await withFilters({});
});
afterEach(async () => {
  await relay.close();
  await database.drop();
});

const withFilters = (...filters: Filter[]): Promise<Source> =>
  addSource(database.pool, {
    url: `${relay.url}/`,
    origin: 'configured',
    direction: 'both',
    filters,
  });
const write = (events: readonly NostrEvent[], seen?: Seen) =>
  writeEvents(
    database.pool,
    events.map((event) => ({ event, text: eventText(event), ...(seen && { seen }) })),
  );
const note = (content: string, created_at = NOW, author = 1): NostrEvent =>
  unsigned({ content, created_at, author });

/** One visit: what was offered, whether all was sent, and why it failed. */
async function visit({
  eventsMax = 1_000_000,
  nowSeconds = NOW + 60,
  wrap = (ports: SendPorts): SendPorts => ports,
} = {}) {
  offered = [];
  const configuration = parseFetchConfiguration({
    DATABASE_URL: database.url,
    GOOGLE_CLOUD_PROJECT: 'test',
  });
  if (!configuration.ok) throw new Error(configuration.reason);
  const ports = piecePorts(
    configuration.value,
    database.pool,
    async () => '1',
    silentLog,
    new FetchMeter(new Registry('fetch')),
  );
  const connection = await connect(relay.url, { limits: { publishTimeoutMs: 300 } });
  const tally = newTally();
  const found = await sourceById(database.pool, source.id);
  if (found === undefined) throw new Error('the source is gone');
  try {
    const all = await sendEvents(
      connection,
      {
        source: found,
        ports: wrap({ ...ports, nowMs: () => nowSeconds * 1_000 }),
        limits: { eventsMax, sinceSeconds: 0 },
        signal: new AbortController().signal,
      },
      tally,
    );
    return { offered, all, sent: tally.sent };
  } catch (error) {
    return { offered, failure: String(error), sent: tally.sent };
  } finally {
    await connection.close();
  }
}

describe('sending to another relay', () => {
  it('begins with the past, newest first, and each event is offered once', async () => {
    await write([note('old', 5), note('new', NOW), note('of tomorrow', NOW + 86_400)]);
    expect(await visit()).toEqual({ offered: ['of tomorrow', 'new', 'old'], all: true, sent: 3 });
    expect(await visit()).toEqual({ offered: [], all: true, sent: 0 });
  });

  it('goes on with what was stored since, however long ago it was created', async () => {
    await write([note('first')]);
    await visit();
    await write([note('of last year', NOW - 40_000_000), note('now', NOW + 30)]);
    expect(new Set((await visit()).offered)).toEqual(new Set(['of last year', 'now']));
    expect((await visit()).offered).toEqual([]);
  });

  it('sends more than a lot of the past and of what is new, each event once', async () => {
    const many = (what: string) =>
      // Lots end in the middle of a second.
      Array.from({ length: 2 * SENT_AT_A_TIME + 50 }, (_, n) =>
        note(`${what} ${n}`, NOW - Math.floor(n / 70)),
      );
    for (const what of ['past', 'new']) {
      const events = many(what);
      await write(events);
      const { offered: now, ...rest } = await visit();
      expect(rest).toEqual({ all: true, sent: events.length });
      expect(now).toHaveLength(events.length);
      expect(new Set(now)).toEqual(new Set(events.map(({ content }) => content)));
    }
  });

  it('skips nothing of a transaction that commits after others were sent', async () => {
    await visit();
    const slow = await database.pool.connect();
    const late = note('late');
    await slow.query('begin');
    await slow.query("insert into changes (what, id, created_at, kind) values ('a', $1, $2, 1)", [
      late.id,
      late.created_at,
    ]);
    await write([note('quick')]);
    await visit();
    await slow.query(
      `insert into events (created_at, key, author, kind, text)
        values ($1, left($2, 32)::uuid, left($3, 32)::uuid, 1, $4)`,
      [late.created_at, late.id, late.pubkey, eventText(late)],
    );
    await slow.query('commit');
    slow.release();
    expect((await visit()).offered).toContain('late');
  });

  it('offers nothing that came from there, neither of the past nor of what is new', async () => {
    const from = { seenFrom: source.id, seenAt: 1 };
    await write([note('theirs')], from);
    await write([note('ours')]);
    expect((await visit()).offered).toEqual(['ours']);
    await write([note('theirs, new')], from);
    await write([note('ours, new')], { seenFrom: source.id + 1, seenAt: 1 });
    expect((await visit()).offered).toEqual(['ours, new']);
  });

  it('keeps protected events and private messages at home', async () => {
    await visit();
    const kept = [
      unsigned({ kind: 4, content: 'message' }),
      unsigned({ kind: 1_059, content: 'wrapped' }),
      unsigned({ tags: [['-']], content: 'protected' }),
    ];
    await write([...kept, note('open')]);
    expect((await visit()).offered).toEqual(['open']);
    await withFilters({ kinds: [1, 4, 1_059] });
    expect((await visit()).offered).toEqual(['open']);
  });

  it.each([
    ['what is new', true],
    ['the past', false],
  ])('stops when told to wait, and goes on there with %s', async (_, isNew) => {
    if (isNew) await visit();
    await write(Array.from({ length: 9 }, (_each, n) => note(`${n}`, NOW - n)));
    const known = new Set<string>();
    answer = ({ content }) => {
      if (known.has(content)) return [true, 'duplicate: known'];
      if (offered.filter((each) => !known.has(each)).length > 3) return [false, 'rate-limited: 3'];
      return [true, ''];
    };
    for (const all of [false, false, true]) {
      const { offered: now, ...rest } = await visit();
      expect(rest).toEqual({ all, sent: 3 });
      for (const content of now.slice(0, 3)) known.add(content);
    }
    expect(known.size).toBe(9);
  });

  it('does not offer again what was refused for good', async () => {
    answer = () => [false, 'blocked: not here'];
    await write([note('unwanted')]);
    expect(await visit()).toEqual({ offered: ['unwanted'], all: true, sent: 0 });
    expect((await visit()).offered).toEqual([]);
  });

  it.each([
    ['what is new', true],
    ['the past', false],
  ])('lets an event pass that stopped many visits, within %s', async (_, isNew) => {
    if (isNew) await visit();
    await write([note('poison', NOW), note('before', NOW + 1), note('after', NOW - 1)]);
    answer = ({ content }) => (content === 'poison' ? [false, 'error: oops'] : [true, '']);
    for (let n = 0; n < SENT_TRIES_MAX; n += 1) {
      expect(await visit()).toMatchObject({ all: false });
    }
    // The first of those visits may have ended with what stood before it.
    for (let n = 0; n < 2; n += 1) await visit();
    expect(await visit()).toEqual({ offered: [], all: true, sent: 0 });
  });

  const oops: Answer = ({ content }) =>
    content.startsWith('poison') ? [false, 'error: oops'] : [true, ''];
  const silent: Answer = ({ content }) => (content.startsWith('poison') ? undefined : [true, '']);

  it.each([
    ['with an error', oops, 2],
    ['with silence', silent, 2],
    // Each visit that finds it stopped again lets one more pass.
    ['with silence, and are the last ones', silent, 4],
  ])('lets all of one second pass that stop many visits %s', async (what, said, more) => {
    const past = what.includes('last') ? [] : [note('after', NOW - 1)];
    await write([note('poison 1'), note('poison 2'), note('poison 3'), ...past]);
    answer = said;
    for (let n = 0; n < SENT_TRIES_MAX + more; n += 1) await visit();
    answer = taken;
    expect(await visit()).toEqual({ offered: [], all: true, sent: 0 });
  });

  it.each([
    ['what is new', true],
    ['the past', false],
  ])('lets several pass together that stop many visits, within %s', async (_, isNew) => {
    if (isNew) await visit();
    // In lots of their own.
    const events = Array.from({ length: 3 * SENT_AT_A_TIME }, (_each, n) =>
      note(n % 150 === 75 ? `poison ${n}` : `${n}`, NOW - n),
    );
    await write(events);
    answer = oops;
    // The first of those visits ends before the first of them.
    for (let n = 0; n < SENT_TRIES_MAX + 2; n += 1) await visit();
    expect(await visit()).toEqual({ offered: [], all: true, sent: 0 });
  });

  it.each([
    ['what is new', true],
    ['the past', false],
  ])('lets few pass where a relay has trouble with all of them, of %s', async (_, isNew) => {
    if (isNew) await visit();
    await write(Array.from({ length: 30 }, (_each, n) => note(`${n}`, NOW - n)));
    answer = () => [false, 'error: the database is down'];
    for (let n = 0; n < 2 * SENT_TRIES_MAX + 5; n += 1) await visit();
    answer = taken;
    expect(await visit()).toMatchObject({ all: true, sent: 28 });
  });

  it('a relay that does not answer is a failure, and is offered the same again', async () => {
    await write([note('a', 1), note('b', 2)]);
    answer = ({ content }) => (content === 'a' ? undefined : [true, '']);
    expect(await visit()).toMatchObject({ failure: expect.stringContaining('no OK'), sent: 1 });
    answer = taken;
    expect(await visit()).toEqual({ offered: ['a'], all: true, sent: 1 });
  });

  it('offers no more than the source may get at one visit', async () => {
    await write([note('a', 1), note('b', 2), note('c', 3)]);
    expect(await visit({ eventsMax: 2 })).toEqual({ offered: ['c', 'b'], all: false, sent: 2 });
    expect((await visit({ eventsMax: 2 })).offered).toEqual(['a']);
  });

  it('a filter that is new is sent its past, one that stays is not sent it again', async () => {
    source = await withFilters({ authors: [authorOf(1)] });
    await write([note('of one', NOW, 1), note('of two', NOW, 2)]);
    expect((await visit()).offered).toEqual(['of one']);
    await write([note('meanwhile', NOW, 1)]);
    await withFilters({ authors: [authorOf(1)] }, { authors: [authorOf(2)] });
    expect((await visit()).offered).toEqual(['meanwhile', 'of two']);
  });

  it('a filter that was away meanwhile misses nothing of that time', async () => {
    await withFilters({ authors: [authorOf(1)] });
    await visit();
    await withFilters({ authors: [authorOf(2)] });
    await write([note('meanwhile', NOW, 1)]);
    await visit();
    await withFilters({ authors: [authorOf(1)] });
    expect((await visit()).offered).toEqual(['meanwhile']);
  });

  it('notes its place once for all that passed by and was not wanted', async () => {
    source = await withFilters({ authors: [authorOf(2)] });
    await visit();
    await write(Array.from({ length: 4 * SENT_AT_A_TIME }, (_, n) => note(`${n}`)));
    let noted = 0;
    const wrap = (ports: SendPorts): SendPorts => ({
      ...ports,
      noteSent: async (...given) => {
        noted += 1;
        await ports.noteSent(...given);
      },
    });
    expect(await visit({ wrap })).toEqual({ offered: [], all: true, sent: 0 });
    expect(noted).toBe(1);
    const { place } = (await readSent(database.pool, source.id))!;
    expect(await readArrivals(database.pool, place, { rowsMax: 1 })).toMatchObject({
      arrivals: [],
      complete: true,
    });
  });

  it('finds the past in steps that the ones before were a measure for', async () => {
    const count = 60_000;
    const apart = Math.floor(NOW / count);
    const seen: string[] = [];
    let reads = 0;
    const wrap = (ports: SendPorts): SendPorts => ({
      ...ports,
      held: async (_, { since, until }, idsMax) => {
        reads += 1;
        const builder = new ItemsBuilder();
        const last = Math.min(count - 1, Math.floor(until / apart));
        for (let n = Math.ceil(since / apart); n <= last; n += 1) {
          builder.add(n * apart, n.toString(16).padStart(64, '0'));
        }
        return builder.size > idsMax ? undefined : builder.seal();
      },
      notFrom: async (_, events) => {
        seen.push(...events.map(({ id }) => id));
        return [];
      },
    });
    expect(await visit({ wrap })).toMatchObject({ all: true });
    expect(seen).toHaveLength(count);
    expect(new Set(seen).size).toBe(count);
    expect(reads).toBeLessThan(50);
  });

  it('begins anew where the log no longer reaches back', async () => {
    await visit();
    await write([note('unread')]);
    await database.pool.query('delete from changes');
    await database.pool.query(
      'update changes_trimmed set below = pg_snapshot_xmax(pg_current_snapshot())',
    );
    expect((await visit()).offered).toEqual(['unread']);
    await write([note('next')]);
    expect((await visit()).offered).toEqual(['next']);
  });
});
