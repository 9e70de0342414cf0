import { type LogPlace, readArrivals, readNotFrom } from '../../../functions/database/arrivals.ts';
import { currentPosition } from '../../../functions/database/changes.ts';
import { makeLogDay, trimLog } from '../../../functions/database/changes-log.ts';
import { migrate } from '../../../functions/database/migrate.ts';
import { type Seen, writeEvents } from '../../../functions/database/write.ts';
import { eventText, type NostrEvent } from '../../../functions/nostr/event.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { unsigned } from '../../support/unsigned.ts';

let database: TestDatabase;
let keeper: TestDatabase;
beforeAll(async () => {
  keeper = await createDatabase();
});
afterAll(() => keeper.drop());
beforeEach(async () => {
  database = await createDatabase();
  await migrate(database.url);
});
afterEach(() => database.drop());

const write = (events: readonly NostrEvent[], seen?: Seen) =>
  writeEvents(
    database.pool,
    events.map((event) => ({ event, text: eventText(event), ...(seen && { seen }) })),
  );
const end = async (): Promise<LogPlace> => ({
  transaction: await currentPosition(database.pool),
  seq: 0,
});
const notes = (count: number, content: string): NostrEvent[] =>
  Array.from({ length: count }, (_, n) => unsigned({ content: `${content} ${n}` }));

async function read(after: LogPlace, rowsMax: number) {
  const found = await readArrivals(database.pool, after, { rowsMax });
  if (found.gap) throw new Error('there is a gap');
  return found;
}

describe('what was stored since a place of the log', () => {
  it('comes whole in lots of any size, also from the middle of a transaction', async () => {
    let place = await end();
    const stored = [...notes(5, 'a'), ...notes(3, 'b')];
    await write(stored.slice(0, 5), { seenFrom: 7, seenAt: 1 });
    await write(stored.slice(5));
    const ids: string[] = [];
    const origins: unknown[] = [];
    for (let complete = false; !complete; ) {
      const found = await read(place, 2);
      ids.push(...found.arrivals.map(({ id }) => id));
      origins.push(...found.arrivals.map(({ seenFrom }) => seenFrom));
      ({ place, complete } = found);
    }
    expect(ids).toHaveLength(stored.length);
    expect(new Set(ids)).toEqual(new Set(stored.map(({ id }) => id)));
    expect(origins).toEqual([7, 7, 7, 7, 7, undefined, undefined, undefined]);
    expect(await read(place, 2)).toMatchObject({ arrivals: [], complete: true });
  });

  it('waits for a transaction that began before and commits later', async () => {
    const place = await end();
    const slow = await database.pool.connect();
    const late = unsigned({ content: 'late' });
    try {
      await slow.query('begin');
      // Takes its numbers now, and is seen only when it commits.
      await slow.query("insert into changes (what, id, created_at, kind) values ('a', $1, $2, 1)", [
        late.id,
        late.created_at,
      ]);
      await write(notes(1, 'quick'));
      const early = await read(place, 10);
      expect(early.arrivals).toEqual([]);
      await slow.query(
        `insert into events (created_at, key, author, kind, text)
          values ($1, left($2, 32)::uuid, left($3, 32)::uuid, 1, $4)`,
        [late.created_at, late.id, late.pubkey, eventText(late)],
      );
      await slow.query('commit');
      const found = await read(early.place, 10);
      expect(found.arrivals.map(({ id }) => id)).toEqual([late.id, notes(1, 'quick')[0]?.id]);
    } finally {
      slow.release();
    }
  });

  it('is a gap where the log was trimmed, and where the place is of another database', async () => {
    const place = await end();
    await write(notes(1, 'x'));
    await makeLogDay(database.pool, Date.now());
    await trimLog(database.pool, Date.now() + 4 * 86_400_000, 24);
    const read = (after: LogPlace) => readArrivals(database.pool, after, { rowsMax: 10 });
    expect(await read(place)).toEqual({ gap: true });
    expect(await read({ transaction: 1e12, seq: 0 })).toEqual({ gap: true });
    expect(await read(await end())).toMatchObject({ gap: false });
  });
});

it('stored events are told apart by where they were first seen', async () => {
  const [ours, theirs, others] = [...notes(3, 'n')] as [NostrEvent, NostrEvent, NostrEvent];
  const profile = unsigned({ kind: 0 });
  await write([ours, profile]);
  await write([theirs], { seenFrom: 7, seenAt: 1 });
  await write([others], { seenFrom: 8, seenAt: 1 });
  const asked = [theirs, others, profile, ours, unsigned({ content: 'never stored' })];
  const texts = await readNotFrom(
    database.pool,
    7,
    asked.map(({ id, created_at }) => ({ id, createdAt: created_at })),
  );
  expect(texts).toEqual([others, profile, ours].map(eventText));
});
