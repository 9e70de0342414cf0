import fc from 'fast-check';
import {
  mergeRanges,
  missingRanges,
  newerPart,
  type Range,
} from '../../../functions/fetch/ranges.ts';

const SECONDS = 40;
const second = fc.integer({ min: 0, max: SECONDS - 1 });
const range = fc.tuple(second, second).map(([since, until]): Range => ({ since, until }));
const ordered = range.filter(({ since, until }) => since <= until);
const ranges = fc.array(range, { maxLength: 12 });

/** One boolean a second: slow and obviously right. */
const bitmap = (given: readonly Range[]): boolean[] =>
  Array.from({ length: SECONDS }, (_, at) =>
    given.some(({ since, until }) => since <= at && at <= until),
  );

/** Each range is one, and a second at least lies between it and the next. */
const areApart = (oldestFirst: readonly Range[]): boolean =>
  oldestFirst.every(
    ({ since, until }, n) =>
      since <= until && (n === 0 || since > (oldestFirst[n - 1]?.until ?? 0) + 1),
  );

describe('merged ranges', () => {
  it('hold the same seconds, disjoint and apart, oldest first', () => {
    fc.assert(
      fc.property(ranges, (given) => {
        const merged = mergeRanges(given);
        expect(bitmap(merged)).toEqual(bitmap(given));
        expect(areApart(merged)).toBe(true);
      }),
    );
  });

  it('join where one begins in the second after the other, also at the end of numbers', () => {
    const end = Number.MAX_SAFE_INTEGER;
    expect(
      mergeRanges([
        { since: 5, until: 9 },
        { since: 0, until: 4 },
        { since: 11, until: end },
        { since: end, until: end },
      ]),
    ).toEqual([
      { since: 0, until: 9 },
      { since: 11, until: end },
    ]);
  });
});

describe('missing ranges', () => {
  it('are the seconds of the window that nothing covers, newest first', () => {
    fc.assert(
      fc.property(ranges, ordered, (covered, window) => {
        const gaps = missingRanges(covered, window);
        const has = bitmap(covered);
        const wanted = bitmap([window]).map((inside, at) => inside && !has[at]);
        expect(bitmap(gaps)).toEqual(wanted);
        expect(areApart(gaps.toReversed())).toBe(true);
      }),
    );
  });

  it('are none in a window that ends before it begins', () => {
    expect(missingRanges([], { since: 2, until: 1 })).toEqual([]);
  });
});

describe('the newer part of a range', () => {
  it('ends with it, is shorter, and comes down to one second within few cuts', () => {
    let part: Range = { since: 0, until: 1_800_000_000 };
    let cuts = 0;
    for (; part.since < part.until; cuts += 1) {
      const next = newerPart(part);
      expect(next.until).toBe(part.until);
      expect(next.since).toBeGreaterThan(part.since);
      part = next;
    }
    expect(cuts).toBeLessThan(20);
    expect(newerPart(part)).toEqual(part);
  });
});
