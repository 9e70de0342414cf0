import fc from 'fast-check';
import { matchesFilter } from '../../../functions/nostr/filter.ts';
import { compileFilter } from '../../../functions/nostr/matcher.ts';
import { matches } from '../../support/slow-oracle.ts';
import {
  authorOf,
  eventArbitrary,
  filterArbitrary,
  parsed,
  unsigned,
} from '../../support/unsigned.ts';

describe('compileFilter', () => {
  it('says the same as the plain walk over every condition, and as matchesFilter', () => {
    const cases = eventArbitrary.chain((event) =>
      fc.tuple(fc.constant(event), filterArbitrary([event])),
    );
    fc.assert(
      fc.property(cases, ([event, filter]) => {
        const expected = matches(filter, event);
        expect(compileFilter(parsed(filter))(event)).toBe(expected);
        expect(matchesFilter(parsed(filter), event)).toBe(expected);
      }),
      { numRuns: 2_000 },
    );
  });

  it('finds one author among very many', () => {
    const authors = Array.from({ length: 200 }, (_, n) => authorOf(n));
    const matcher = compileFilter({ authors });
    expect(matcher(unsigned({ author: 199 }))).toBe(true);
    expect(matcher(unsigned({ author: 200 }))).toBe(false);
  });
});
