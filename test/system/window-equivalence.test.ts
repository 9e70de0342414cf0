import { migrate } from '../../functions/database/migrate.ts';
import type { NostrEvent } from '../../functions/nostr/event.ts';
import { type Follow, LIMIT_MAX, openFollow } from '../support/follow.ts';
import {
  type Message,
  nextEvent,
  nextFilter,
  untilLogged,
  writeHistory,
} from '../support/history.ts';
import { createDatabase } from '../support/postgres.ts';
import { randomOf } from '../support/random.ts';
import { answer, remaining } from '../support/slow-oracle.ts';
import { parsed } from '../support/unsigned.ts';

const EVENTS = 400;
const FILTERS = 150;
const seed = Number(process.env['WINDOW_SEED'] ?? 1);

const random = randomOf(seed);

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
    follows = [1_000, 20, 0].map((eventsMax) => openFollow(pool, { eventsMax }));
    for (const { instance } of follows) await instance.follower.catchUp();
    while (events.length < EVENTS) {
      const batch = Array.from({ length: random.below(12) + 1 }, () => nextEvent(random, events));
      // Some come again, as a redelivered message does.
      if (events.length > 0) batch.push(random.pick(events));
      events.push(...batch);
      const messages = await writeHistory(pool, batch);
      everything.push(...messages);
      for (const follow of follows) {
        post(follow, messages);
        hearSome(follow, random.below(3) / 2);
        if (random.below(5) === 0) await follow.instance.follower.catchUp();
      }
    }
    await untilLogged(pool);
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
      const filter = nextFilter(random, events);
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
