import { filterKey } from '../../../functions/nostr/filter-key.ts';

const a = 'a'.repeat(64);
const b = 'b'.repeat(64);
const tags = (...entries: [string, string[]][]) => new Map(entries);

describe('the key of a filter', () => {
  it('does not depend on the order of fields and values, or on doubles', () => {
    const key = filterKey({
      authors: [a, b],
      kinds: [1, 7, 30_023],
      tags: tags(['t', ['x', 'y']], ['e', [a]]),
    });
    expect(key).toMatch(/^[0-9a-f]{64}$/);
    expect(
      filterKey({
        tags: tags(['e', [a, a]], ['t', ['y', 'x']]),
        kinds: [30_023, 7, 1, 7],
        authors: [b, a],
      }),
    ).toBe(key);
  });

  it('does not depend on since, until and limit', () => {
    expect(filterKey({ kinds: [1], since: 1, until: 2, limit: 3 })).toBe(filterKey({ kinds: [1] }));
  });

  it('differs where the filters match different events', () => {
    const keys = [
      filterKey({}),
      filterKey({ kinds: [] }),
      filterKey({ kinds: [1] }),
      filterKey({ kinds: [1, 2] }),
      filterKey({ authors: [a] }),
      filterKey({ ids: [a] }),
      filterKey({ tags: tags(['p', [a]]) }),
      filterKey({ tags: tags(['P', [a]]) }),
      filterKey({ tags: tags(['t', ['1']]) }),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('stays what it was, since the database holds it', () => {
    // printf '{}' | sha256sum
    expect(filterKey({})).toBe('44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a');
  });
});
