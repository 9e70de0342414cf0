import fc from 'fast-check';
import { LiveIndex } from '../../../functions/relay/live-index.ts';
import { matches } from '../../support/slow-oracle.ts';
import {
  asEntry,
  authorOf,
  eventArbitrary,
  filterArbitrary,
  parsed,
  unsignedEntry,
} from '../../support/unsigned.ts';

describe('LiveIndex', () => {
  it('finds exactly the subscriptions of which a filter matches, each once', () => {
    const cases = eventArbitrary.chain((event) =>
      fc.tuple(
        fc.constant(event),
        fc.array(fc.array(filterArbitrary([event]), { minLength: 1, maxLength: 3 }), {
          maxLength: 8,
        }),
      ),
    );
    fc.assert(
      fc.property(cases, ([event, subscriptions]) => {
        const index = new LiveIndex<number>();
        for (const [n, filters] of subscriptions.entries()) index.add(n, filters.map(parsed));
        const met: number[] = [];
        index.match(asEntry(event), (n) => met.push(n));
        const expected = subscriptions.flatMap((filters, n) =>
          filters.some((filter) => matches(filter, event)) ? [n] : [],
        );
        expect(met.sort()).toEqual(expected);
      }),
      { numRuns: 1_000 },
    );
  });

  it('meets only subscriptions that share a value with the event', () => {
    const index = new LiveIndex<number>();
    for (let n = 0; n < 250; n += 1) index.add(n, [{ authors: [authorOf(n)] }]);
    const { created_at, ...rest } = unsignedEntry({ author: 7 });
    let compared = 0;
    const entry = {
      ...rest,
      get created_at() {
        compared += 1;
        return created_at;
      },
    };
    const met: number[] = [];
    index.match(entry, (n) => met.push(n));
    expect(met).toEqual([7]);
    // One filter looks at the time twice: since, and until.
    expect(compared).toBeLessThanOrEqual(2);
  });

  it('forgets a removed subscription', () => {
    const index = new LiveIndex<string>();
    index.add('one', [{ kinds: [1] }, {}]);
    index.remove('one');
    const met: string[] = [];
    index.match(unsignedEntry(), (name) => met.push(name));
    expect(met).toEqual([]);
    expect(index.size).toBe(0);
  });

  it('matches nothing with an empty list', () => {
    const index = new LiveIndex<string>();
    index.add('one', [{ kinds: [] }]);
    const met: string[] = [];
    index.match(unsignedEntry(), (name) => met.push(name));
    expect(met).toEqual([]);
  });
});
