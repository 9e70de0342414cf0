import type { Pool } from 'pg';
import type { StoredMeta } from '../../functions/cloud/envelope.ts';
import { openLog } from '../../functions/cloud/log.ts';
import { Registry } from '../../functions/cloud/metrics/registry.ts';
import { readChanges } from '../../functions/database/changes.ts';
import { listIds } from '../../functions/database/ids.ts';
import { migrate } from '../../functions/database/migrate.ts';
import { queryEvents } from '../../functions/database/read.ts';
import { loadRecent } from '../../functions/database/recent.ts';
import { storedVersions } from '../../functions/database/versions.ts';
import { writeEvents } from '../../functions/database/write.ts';
import { addressOf, eventText, type NostrEvent } from '../../functions/nostr/event.ts';
import { assembleInstance, type Instance } from '../../functions/relay/instance.ts';
import { quietJourney } from '../support/journey.ts';
import { createDatabase } from '../support/postgres.ts';
import { randomOf } from '../support/random.ts';
import { answer, type PlainFilter, remaining } from '../support/slow-oracle.ts';
import { authorOf, parsed, unsigned } from '../support/unsigned.ts';

const EVENTS = 400;
const FILTERS = 150;
const LIMIT_MAX = 50;
const START = 1_700_000_000;
const seed = Number(process.env['WINDOW_SEED'] ?? 1);

interface Message {
  readonly meta: StoredMeta;
  readonly text?: string;
}

/** One relay instance without sockets and Pub/Sub; the test plays the fast lane. */
interface Follow {
  readonly instance: Instance;
  readonly mailbox: Message[];
  readonly delivered: string[];
}

function openInstance(pool: Pool, eventsMax: number): Follow {
  const window = { eventsMax, bytesMax: 1e9 };
  const topic = { publish: () => Promise.reject(new Error('nothing is published here')) };
  const instance = assembleInstance(
    {
      incoming: topic,
      stored: topic,
      // Few rows a read, so that a catch-up takes several.
      readChanges: (from) => readChanges(pool, from, { rowsMax: 37 }),
      listStored: (filter, options) => listIds(pool, filter, options),
      queryStored: (filter, options) => queryEvents(pool, filter, options),
      storedVersions: (addresses) => storedVersions(pool, addresses),
      loadRecent: () => loadRecent(pool, window),
      nowMs: Date.now,
      monotonicMs: () => performance.now(),
      random: Math.random,
      journey: quietJourney,
      log: openLog({ level: 'error', format: 'json', component: 'test' }),
      metrics: new Registry('relay'),
    },
    {
      window,
      pendingBytesMax: 1e9,
      lag: { lagMs: 30_000, bytesMax: 1e9 },
      queryDeadlineMs: 10_000,
      limitDefault: LIMIT_MAX,
      limitMax: LIMIT_MAX,
      requestEventsMax: 1_000,
      answerBytesMax: 1e9,
      answersBytesMax: 1e9,
    },
  );
  const delivered: string[] = [];
  instance.subscriptions.open([{ limit: 0 }], {
    event: (text) => delivered.push(text.slice(7, 71)),
    eose: () => undefined,
    closed: (message) => delivered.push(message),
  });
  return { instance, mailbox: [], delivered };
}

const random = randomOf(seed);

/** Old and new, superseding and deleting each other, few authors, so that much happens. */
function nextEvent(earlier: readonly NostrEvent[]): NostrEvent {
  const author = random.below(6) + 1;
  const created_at = START + random.below(3_000);
  const target = earlier.length > 0 ? random.pick(earlier) : undefined;
  if (target !== undefined && random.below(10) === 0) {
    const address = addressOf(target);
    const tag = address && random.below(2) === 0 ? ['a', address] : ['e', target.id];
    // One in three is a stranger's.
    const own = [1, 2, 3, 4, 5, 6].find((n) => authorOf(n) === target.pubkey) ?? author;
    const by = random.below(3) === 0 ? author : own;
    return unsigned({ author: by, kind: 5, created_at, tags: [tag] });
  }
  const kind = random.pick([0, 1, 1, 1, 3, 7, 10_002, 30_023, 30_023]);
  const tags = [
    ['d', random.pick(['x', 'y'])],
    ['t', random.pick(['a', 'b', 'c'])],
    ['p', authorOf(random.below(6) + 1)],
  ];
  return unsigned({ author, kind, created_at, tags, content: String(random.below(1e9)) });
}

function nextFilter(events: readonly NostrEvent[]): PlainFilter {
  const filter: Record<string, unknown> = {};
  if (random.below(6) === 0) filter['ids'] = [random.pick(events).id, random.pick(events).id];
  if (random.below(3) === 0) filter['authors'] = [authorOf(random.below(6) + 1), authorOf(2)];
  if (random.below(3) === 0)
    filter['kinds'] = random.pick([[1], [0], [0, 3], [30_023], [5], [1, 7]]);
  if (random.below(5) === 0) filter['#t'] = [random.pick(['a', 'b'])];
  if (random.below(6) === 0) filter['#d'] = [random.pick(['x', 'y'])];
  if (random.below(4) === 0) filter['since'] = START + random.below(3_000);
  if (random.below(4) === 0) filter['until'] = START + random.below(3_000);
  if (random.below(2) === 0) filter['limit'] = random.below(30) + 1;
  return filter as PlainFilter;
}

async function write(pool: Pool, batch: readonly NostrEvent[]): Promise<Message[]> {
  const events = batch.map((event) => ({ event, text: eventText(event) }));
  const { transaction, outcomes } = await writeEvents(pool, events);
  return outcomes.map((result, n) => {
    const { event, text } = events[n]!;
    const meta = { id: event.id, acceptedAt: 0, trace: 't' };
    if (result.outcome !== 'stored') return { meta: { ...meta, outcome: result.outcome } };
    const change = { transaction, seq: result.seq, removed: result.removed };
    return { meta: { ...meta, outcome: 'stored' as const, change }, text };
  });
}

/** The fast lane at its worst: some messages are lost, some come twice, and in any order. */
function post(follow: Follow, messages: readonly Message[]): void {
  for (const message of messages) {
    if (random.below(4) === 0) continue;
    follow.mailbox.push(message);
    if (random.below(4) === 0) follow.mailbox.push(message);
  }
}

function hearSome(follow: Follow, share: number): void {
  const count = Math.floor(follow.mailbox.length * share);
  for (let n = 0; n < count; n += 1) {
    const [message] = follow.mailbox.splice(random.below(follow.mailbox.length), 1);
    if (message !== undefined) follow.instance.follower.heard(message.meta, message.text);
  }
}

describe(`the recent window (seed ${seed})`, () => {
  let database: Awaited<ReturnType<typeof createDatabase>>;
  let follows: Follow[];
  const events: NostrEvent[] = [];
  const everything: Message[] = [];

  beforeAll(async () => {
    database = await createDatabase();
    await migrate(database.url);
    const { pool } = database;
    follows = [1_000, 20, 0].map((eventsMax) => openInstance(pool, eventsMax));
    for (const { instance } of follows) await instance.follower.catchUp();
    while (events.length < EVENTS) {
      const batch = Array.from({ length: random.below(12) + 1 }, () => nextEvent(events));
      // Some come again, as a redelivered message does.
      if (events.length > 0) batch.push(random.pick(events));
      events.push(...batch);
      const messages = await write(pool, batch);
      everything.push(...messages);
      for (const follow of follows) {
        post(follow, messages);
        hearSome(follow, random.below(3) / 2);
        if (random.below(5) === 0) await follow.instance.follower.catchUp();
      }
    }
    for (const follow of follows) {
      hearSome(follow, 1);
      await follow.instance.follower.catchUp();
    }
  });

  afterAll(() => database.drop());

  async function expectOracleAnswers(): Promise<void> {
    const remains = remaining(events);
    const { signal } = new AbortController();
    for (let n = 0; n < FILTERS; n += 1) {
      const filter = nextFilter(events);
      const expected = answer(remains, [filter], LIMIT_MAX).map(({ id }) => id);
      for (const { instance } of follows) {
        const { events: found } = await instance.answers.find([parsed(filter)], signal);
        expect({ filter, ids: found.map(({ id }) => id) }).toEqual({ filter, ids: expected });
      }
    }
  }

  it('gives the same answers on, tiny and off: those of a slow oracle', expectOracleAnswers);

  it('brings every event that remains to live subscribers, and none twice', () => {
    for (const { delivered } of follows) {
      expect(new Set(delivered).size).toBe(delivered.length);
      expect(delivered).toEqual(expect.arrayContaining(remaining(events).map(({ id }) => id)));
    }
  });

  it('revives nothing when all messages come once more, late', async () => {
    const before = follows.map(({ delivered }) => delivered.length);
    for (const follow of follows) {
      follow.mailbox.push(...everything);
      hearSome(follow, 1);
    }
    expect(follows.map(({ delivered }) => delivered.length)).toEqual(before);
    await expectOracleAnswers();
  });

  it('answers at least some of these filters from memory alone', async () => {
    const { instance } = follows[0]!;
    expect(instance.window.complete).toBe(true);
    expect(instance.window.answer({ kinds: [1] }, 5)).toHaveLength(5);
  });
});
