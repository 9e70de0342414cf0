import fc from 'fast-check';
import { pageNewestFirst } from '../../../functions/client/pager.ts';
import type { NostrEvent } from '../../../functions/nostr/event.ts';
import { type Filter, matchesFilter } from '../../../functions/nostr/filter.ts';
import { plainFilter } from '../../../functions/upstream/messages.ts';
import type { PageSource } from '../../../functions/upstream/pager.ts';
import { answer, inOrder, type PlainFilter } from '../../support/slow-oracle.ts';

/** Events of one number: author, kind and tags follow from it. */
const eventOf = (number: number, created_at: number): NostrEvent => ({
  id: number.toString(16).padStart(64, '0'),
  pubkey: String(number % 3).repeat(64),
  created_at,
  kind: number % 4,
  tags: [['t', String(number % 2)]],
  content: '',
  sig: '0'.repeat(128),
});

function sourceOf(events: readonly NostrEvent[], cap: number, says: number | undefined) {
  const asked: Filter[] = [];
  const query = async (filter: Filter & { readonly limit: number }) => {
    asked.push(filter);
    const page = answer(events, [plainFilter(filter) as PlainFilter], cap);
    const { length: received } = page;
    return { events: page, received, oldest: page.at(-1)?.created_at, asked: filter.limit };
  };
  const source: PageSource = { query, tryQuery: query, limitMax: async () => says };
  return { source, asked };
}

async function all(
  source: PageSource,
  filter: Filter,
  options: { pageSize: number; capMin?: number },
) {
  const events: NostrEvent[] = [];
  const incomplete: number[] = [];
  const onIncomplete = (second: number) => incomplete.push(second);
  for await (const event of pageNewestFirst(source, filter, { ...options, onIncomplete })) {
    events.push(event);
  }
  return { events, incomplete };
}

const filters: Filter[] = [
  {},
  { kinds: [0, 1, 3] },
  { authors: ['0'.repeat(64), '1'.repeat(64)] },
  { tags: new Map([['t', ['0', '1']]]), since: 2 },
  { until: 4, limit: 7 },
  { limit: 0 },
];

describe('paging', () => {
  it('gives everything once, newest first, or says which second is not whole', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 40 }),
        fc.constantFrom(...filters),
        fc.integer({ min: 3, max: 9 }),
        fc.integer({ min: 1, max: 12 }),
        fc.boolean(),
        async (times, filter, cap, pageSize, saysCap) => {
          const stored = times.map((time, number) => eventOf(number, time));
          const { source } = sourceOf(stored, cap, saysCap ? cap : undefined);
          const { events, incomplete } = await all(source, filter, { pageSize, capMin: 3 });
          const wanted = inOrder(stored.filter((event) => matchesFilter(filter, event)));
          const whole = (list: readonly NostrEvent[]) =>
            list.filter(({ created_at }) => !incomplete.includes(created_at));
          expect(whole(events)).toEqual(whole(wanted.slice(0, filter.limit)));
          expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
          expect(events).toEqual(inOrder(events));
        },
      ),
      { numRuns: 300 },
    );
  }, 20_000);

  it('takes out a second that is fuller than a page by a larger limit', async () => {
    const stored = Array.from({ length: 120 }, (_, number) =>
      eventOf(number, number < 100 ? 5 : 4),
    );
    const { source, asked } = sourceOf(stored, 1_000, undefined);
    const { events, incomplete } = await all(source, {}, { pageSize: 10 });
    expect([events.length, incomplete]).toEqual([120, []]);
    expect(asked.length).toBeLessThan(10);
  });

  it('takes out a second that is fuller than any answer by narrower filters', async () => {
    const stored = Array.from({ length: 200 }, (_, number) => eventOf(number, 5));
    const { source } = sourceOf(stored, 60, 60);
    const { events, incomplete } = await all(source, {}, { pageSize: 20 });
    expect([events.length, incomplete]).toEqual([200, []]);
  });

  it('says so when nothing helps', async () => {
    const stored = Array.from({ length: 200 }, (_, number) => eventOf(4 * 3 * number, 5));
    const { source } = sourceOf([...stored, eventOf(1, 4)], 60, undefined);
    const { events, incomplete } = await all(source, {}, { pageSize: 20 });
    expect(incomplete).toContain(5);
    expect(events.at(-1)?.created_at).toBe(4);
  });

  it('asks no more than it must of a relay with little', async () => {
    const { source, asked } = sourceOf([eventOf(1, 5), eventOf(2, 4)], 500, 500);
    expect((await all(source, {}, { pageSize: 100 })).events).toHaveLength(2);
    expect(asked.length).toBeLessThanOrEqual(3);
  });
});
