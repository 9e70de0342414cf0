import {
  cutFilter,
  filterBytes,
  liveRequests,
  partsOf,
} from '../../../functions/fetch/filter-parts.ts';
import { PARTS_MAX } from '../../../functions/fetch/limits.ts';
import type { Filter } from '../../../functions/nostr/filter.ts';
import { filterKey } from '../../../functions/nostr/filter-key.ts';
import { requestText } from '../../../functions/upstream/messages.ts';
import { hexOf } from '../../support/many-events.ts';

const authorsOf = (count: number): string[] =>
  Array.from({ length: count }, (_, n) => hexOf('a', n));
const STRFRY_MESSAGE_BYTES = 131_072;
const keysOf = (filters: readonly Filter[]) => new Set(partsOf(filters).map(({ key }) => key));
const added = (before: ReadonlySet<string>, after: ReadonlySet<string>) =>
  [...after].filter((key) => !before.has(key)).length;

describe('a filter of thousands of authors', () => {
  const filter: Filter = { kinds: [0, 1], authors: authorsOf(10_000) };
  const parts = partsOf([filter]);

  it('is cut into parts that hold each author once and all other conditions', () => {
    const authors = parts.flatMap((part) => part.filter.authors ?? []);
    expect(authors.sort()).toEqual([...(filter.authors ?? [])].sort());
    for (const part of parts) {
      expect(part.filter.kinds).toEqual([0, 1]);
      expect(part.filter.authors!.length).toBeLessThanOrEqual(500);
      const text = requestText('s1', [{ ...part.filter, since: 0, until: 1e10, limit: 500 }]);
      expect(text.length).toBeLessThan(STRFRY_MESSAGE_BYTES / 2);
    }
    expect(parts.length).toBeLessThan(50);
  });

  it('changes in one part where one author comes or goes', () => {
    const before = keysOf([filter]);
    for (const n of [0, 77, 5_000]) {
      const fewer = filter.authors!.filter((_, at) => at !== n);
      expect(added(before, keysOf([{ ...filter, authors: fewer }]))).toBeLessThanOrEqual(1);
      const more = [...fewer, ...filter.authors!.slice(n, n + 1), hexOf('b', n)];
      // Two where the part that it came into had to be cut.
      expect(added(before, keysOf([{ ...filter, authors: more }]))).toBeLessThanOrEqual(2);
    }
  });

  it('is cut in the same way whatever the order of its authors', () => {
    const authors = [...filter.authors!].reverse();
    expect(keysOf([{ ...filter, authors }])).toEqual(keysOf([filter]));
  });
});

describe('a filter that needs no cutting', () => {
  it.each<Filter>([
    {},
    { authors: authorsOf(500) },
    { kinds: [1], tags: new Map([['t', ['a', 'b']]]) },
    { authors: [] },
  ])('keeps its key', (filter) => {
    expect(partsOf([filter])).toEqual([{ filter, key: filterKey(filter) }]);
  });

  it('is asked for once though it stands twice', () => {
    expect(partsOf([{ kinds: [1, 2] }, { kinds: [2, 1] }])).toHaveLength(1);
  });
});

describe('cutting', () => {
  it.each(['ids', 'authors'] as const)('goes by %s', (field) => {
    const parts = cutFilter({ [field]: authorsOf(2_000) }, 49_152);
    expect(parts.flatMap((part) => part[field]).length).toBe(2_000);
    expect(parts.length).toBeGreaterThan(3);
  });

  it('goes by tag values, also by their bytes', () => {
    const values = Array.from({ length: 200 }, (_, n) => `${n} ${'ä'.repeat(500)}`);
    const parts = cutFilter({ tags: new Map([['t', values]]) }, 49_152);
    expect(parts.flatMap((part) => part.tags?.get('t')).sort()).toEqual([...values].sort());
    for (const part of parts) expect(filterBytes(part)).toBeLessThan(50_000);
  });

  it('goes by several lists, so that each pair of values stands in one part', () => {
    const authors = authorsOf(900);
    const p = authorsOf(300);
    const parts = cutFilter({ authors, tags: new Map([['p', p]]) }, 49_152);
    const pairs = parts.reduce(
      (sum, part) => sum + part.authors!.length * part.tags!.get('p')!.length,
      0,
    );
    expect(pairs).toBe(900 * 300);
  });

  it('leaves a value alone that is too large for any part', () => {
    const values = ['x'.repeat(5_000), 'y'];
    const parts = cutFilter({ tags: new Map([['t', values]]) }, 1_000);
    expect(parts.map((part) => part.tags?.get('t')?.length)).toEqual([1, 1]);
  });

  it('is not driven to a part for each author by a nonsense limit', () => {
    const parts = partsOf([{ authors: authorsOf(300) }], { messageBytesMax: 1 });
    expect(parts.length).toBeLessThan(60);
  });

  it('keeps every REQ within the message length of a small relay', () => {
    const information = { messageBytesMax: 2_048 };
    const parts = partsOf([{ authors: authorsOf(300), kinds: [1] }], information);
    for (const { filter } of parts) {
      const text = requestText('s1', [{ ...filter, since: 0, until: 1e10, limit: 500 }]);
      expect(text.length).toBeLessThanOrEqual(2_048);
    }
  });
});

describe('the number of parts', () => {
  const [authors, p] = [authorsOf(10_000), authorsOf(500)];
  const wide = { authors, tags: new Map([['p', p]]) };

  it('is bounded, whatever a relay says of its messages', () => {
    const parts = partsOf([wide], { messageBytesMax: 2_048 });
    expect(parts.length).toBeLessThanOrEqual(PARTS_MAX);
    const pairs = parts.reduce(
      (sum, { filter }) => sum + filter.authors!.length * filter.tags!.get('p')!.length,
      0,
    );
    expect(pairs).toBe(10_000 * 500);
  });

  it('is that of all filters together, and each of them is cut alike', () => {
    const filters = [wide, { ...wide, kinds: [1] }, { ...wide, kinds: [7] }];
    expect(partsOf(filters, { messageBytesMax: 2_048 }).length).toBeLessThanOrEqual(PARTS_MAX);
  });

  it('is none where filters are too wide for any relay: that is said', () => {
    const tags = new Map(['e', 'p', 'q'].map((letter) => [letter, authorsOf(10_000)]));
    expect(() => partsOf([{ authors, tags }])).toThrow(/too wide.* parts/);
  });
});

describe('following a filter of thousands of authors', () => {
  const filters = [{ authors: authorsOf(4_000) }];

  it('takes as many REQs as it needs, each of them one that relays take', () => {
    const { requests, left } = liveRequests(filters);
    expect(left).toBe(0);
    expect(requests.flat()).toHaveLength(partsOf(filters).length);
    for (const request of requests) {
      expect(request.length).toBeLessThanOrEqual(10);
      expect(requestText('s1', request).length).toBeLessThan(STRFRY_MESSAGE_BYTES / 2);
    }
  });

  it('keeps to the subscriptions and filters of the relay, and says what is left', () => {
    const few = { subscriptionsMax: 2, filtersMax: 1 };
    const { requests, left } = liveRequests(filters, few);
    expect(requests.map((request) => request.length)).toEqual([1, 1]);
    expect(left).toBe(partsOf(filters).length - 2);
  });

  it('is one REQ where there are few filters, as it always was', () => {
    const some: Filter[] = [{ kinds: [1] }, { kinds: [7] }];
    expect(liveRequests(some)).toEqual({ requests: [some], left: 0 });
  });
});
