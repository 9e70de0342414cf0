import fc from 'fast-check';
import { type ListedId, listIds, TooManyIds } from '../../../functions/database/ids.ts';
import { migrate } from '../../../functions/database/migrate.ts';
import { queryEvents } from '../../../functions/database/read.ts';
import { writeEvents } from '../../../functions/database/write.ts';
import { eventText, type NostrEvent } from '../../../functions/nostr/event.ts';
import type { Filter } from '../../../functions/nostr/filter.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { randomOf } from '../../support/random.ts';
import { authorOf, filterArbitrary, parsed, unsigned } from '../../support/unsigned.ts';

const START = 1_700_000_000;
const KINDS = [0, 1, 1, 1, 5, 7, 30_023];

let database: TestDatabase;
let events: NostrEvent[];

beforeAll(async () => {
  database = await createDatabase();
  await migrate(database.url);
  const random = randomOf(1);
  events = Array.from({ length: 400 }, (_, n) =>
    unsigned({
      author: 1 + random.below(5),
      kind: random.pick(KINDS),
      // Half of them in one second.
      created_at: START + (random.below(2) === 0 ? 10 : random.below(20)),
      tags: [['t', random.pick(['x', 'y'])], ...(n % 3 === 0 ? [['d', `${n % 9}`]] : [])],
      content: `${n}`,
    }),
  );
  await writeEvents(
    database.pool,
    events.map((event) => ({ event, text: eventText(event) })),
  );
});
afterAll(() => database.drop());

type Options = Partial<Parameters<typeof listIds>[2]>;

async function listed(filter: Filter, options: Options = {}): Promise<ListedId[]> {
  const all: ListedId[] = [];
  const pages = listIds(database.pool, filter, { idsMax: 1_000, ...options });
  for await (const page of pages) all.push(...page);
  return all.map(({ createdAt, id }) => ({ createdAt, id }));
}

async function answered(filter: Filter): Promise<ListedId[]> {
  const found = await queryEvents(database.pool, filter, { limit: filter.limit ?? 1_000 });
  return found.map(({ createdAt, id }) => ({ createdAt, id }));
}

describe('the list of ids', () => {
  it('is that of the events which a query gives, in the same order, whatever a page holds', () =>
    fc.assert(
      fc.asyncProperty(
        filterArbitrary(events).map(parsed),
        fc.constantFrom(1, 3, 50, 4_000),
        async (filter, pageRows) => {
          expect(await listed(filter, { pageRows })).toEqual(await answered(filter));
        },
      ),
      { numRuns: 150 },
    ));

  it('goes over a second that holds more than a page', async () => {
    const filter = { since: START + 10, until: START + 10 };
    const all = await answered(filter);
    expect(all.length).toBeGreaterThan(100);
    expect(await listed(filter, { pageRows: 7 })).toEqual(all);
    expect(await listed({}, { pageRows: 1 })).toEqual(await answered({}));
  });

  it('walks many authors in steps of time', async () => {
    const authors = Array.from({ length: 40 }, (_, n) => authorOf(1 + n));
    expect(await listed({ authors }, { pageRows: 20 })).toEqual(await answered({ authors }));
  });

  it('may be narrowed to a time within that of the filter', async () => {
    const filter = { kinds: [1], since: START + 5, until: START + 15 };
    expect(await listed(filter, { since: START, until: START + 12 })).toEqual(
      await answered({ ...filter, until: START + 12 }),
    );
    expect(await listed(filter, { since: START + 8, until: START + 99 })).toEqual(
      await answered({ ...filter, since: START + 8 }),
    );
    expect(await listed(filter, { since: START + 16 })).toEqual([]);
  });

  it('finds ids that are named, and no others', async () => {
    const ids = [events[3]!.id, events[5]!.id, 'f'.repeat(64)];
    expect(await listed({ ids })).toEqual(await answered({ ids }));
  });

  it('ends with an error where there are more than may be', async () => {
    const total = (await answered({})).length;
    expect(await listed({}, { idsMax: total, pageRows: 13 })).toHaveLength(total);
    await expect(listed({}, { idsMax: total - 1, pageRows: 13 })).rejects.toThrow(TooManyIds);
    expect(await listed({ limit: 9 }, { idsMax: 9 })).toHaveLength(9);
  });

  it('holds no connection between two pages', async () => {
    const pages = listIds(database.pool, {}, { idsMax: 1_000, pageRows: 10 });
    await pages.next();
    expect(database.pool.idleCount).toBe(database.pool.totalCount);
    await pages.return();
  });

  it('ends with the reason of its signal', async () => {
    const abort = new AbortController();
    const pages = listIds(database.pool, {}, { idsMax: 1_000, pageRows: 5, signal: abort.signal });
    await pages.next();
    abort.abort(new Error('enough'));
    await expect(pages.next()).rejects.toThrow('enough');
  });
});
