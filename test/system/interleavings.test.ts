import pg from 'pg';
import { migrate } from '../../functions/database/migrate.ts';
import { queryEvents } from '../../functions/database/read.ts';
import { writeEvents } from '../../functions/database/write.ts';
import { addressOf, eventText, type NostrEvent } from '../../functions/nostr/event.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { type Random, randomOf } from '../support/random.ts';
import { remaining } from '../support/slow-oracle.ts';
import { authorOf, unsigned } from '../support/unsigned.ts';

/**
 * Event, newer version, deletion by the author and by a stranger, in every order, over four
 * stores that write at the same time, with messages that come twice. `INTERLEAVINGS=10000 npm
 * test -- test/system/interleavings` for the long run; `INTERLEAVINGS_SEED` repeats one.
 */
const INTERLEAVINGS = Number(process.env['INTERLEAVINGS'] ?? 400);
const SEED = Number(process.env['INTERLEAVINGS_SEED'] ?? 1);
const STORES = 4;
/** So many interleavings go through the stores at once, each with authors of its own. */
const AT_ONCE = 20;
const START = 1_700_000_000;

/** One story: an author's versions and notes, and what he and a stranger ask to delete. */
function story(n: number, random: Random): NostrEvent[] {
  const author = 2 * n + 1;
  const stranger = 2 * n + 2;
  const kind = random.pick([0, 10_002, 30_023]);
  const second = () => START + random.below(4);
  const version = (content: string) =>
    unsigned({ author, kind, created_at: second(), content, tags: [['d', 'x']] });
  const events = [version('a'), version('b'), version('c'), unsigned({ author, content: 'note' })];
  const address = addressOf(events[0]!) ?? '';
  const target = () =>
    random.pick([
      ['e', random.pick(events).id],
      ['a', address],
    ]);
  const deletions = [author, author, stranger].map((by, at) =>
    unsigned({
      author: by,
      kind: 5,
      created_at: second(),
      content: String(at),
      tags: Array.from({ length: random.below(2) + 1 }, target),
    }),
  );
  return [...events, ...deletions.slice(random.below(3))];
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const left = [...items];
  const order: T[] = [];
  while (left.length > 0) order.push(...left.splice(random.below(left.length), 1));
  return order;
}

describe(`events, versions and deletions over ${STORES} stores (seed ${SEED})`, () => {
  let database: TestDatabase;
  let stores: pg.Pool[];

  beforeAll(async () => {
    database = await createDatabase();
    await migrate(database.url);
    stores = Array.from({ length: STORES }, () => {
      return new pg.Pool({ connectionString: database.url, max: 1 });
    });
  });

  afterAll(async () => {
    await Promise.all(stores.map((store) => store.end()));
    await database.drop();
  });

  async function run(stories: readonly NostrEvent[][], random: Random): Promise<void> {
    const all = stories.flat();
    // One in four comes twice, as at-least-once delivery allows.
    const coming = shuffled([...all, ...all.filter(() => random.below(4) === 0)], random);
    await Promise.all(
      stores.map(async (store, n) => {
        const mine = coming.filter((_, at) => at % STORES === n);
        while (mine.length > 0) {
          const batch = mine.splice(0, random.below(6) + 1);
          await writeEvents(
            store,
            batch.map((event) => ({ event, text: eventText(event) })),
          );
        }
      }),
    );
  }

  it(`end in the state of a slow oracle, ${INTERLEAVINGS} times`, async () => {
    const random = randomOf(SEED);
    for (let done = 0; done < INTERLEAVINGS; done += AT_ONCE) {
      await database.pool.query(
        'truncate events, event_tags, kept, kept_tags, deleted_ids, deleted_addresses',
      );
      const stories = Array.from({ length: AT_ONCE }, (_, n) => story(n, random));
      await run(stories, random);
      for (const [n, events] of stories.entries()) {
        const authors = [authorOf(2 * n + 1), authorOf(2 * n + 2)];
        const found = await queryEvents(database.pool, { authors }, { limit: 100 });
        const expected = remaining(events).map(({ id }) => id);
        expect({ story: done + n, ids: found.map(({ id }) => id) }).toEqual({
          story: done + n,
          ids: expected,
        });
      }
    }
  }, 600_000);
});
