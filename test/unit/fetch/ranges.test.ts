import fc from 'fast-check';
import {
  mergeRanges,
  missingRanges,
  nextSlice,
  nextSliceSeconds,
  type Range,
  SLICE_SECONDS_FIRST,
  SLICE_SECONDS_MAX,
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

describe('slices', () => {
  it('taken one after the other cover the window from its newest second to its oldest', () => {
    fc.assert(
      fc.property(ranges, ordered, fc.integer({ min: 1, max: 9 }), (before, window, seconds) => {
        let covered = mergeRanges(before);
        let last = Number.POSITIVE_INFINITY;
        for (let turn = 0; turn <= SECONDS; turn += 1) {
          const slice = nextSlice(missingRanges(covered, window), seconds);
          if (slice === undefined) break;
          expect(slice.until).toBeLessThan(last);
          expect(slice.until - slice.since).toBeLessThan(seconds);
          expect(missingRanges(covered, slice)).toEqual([slice]);
          last = slice.since;
          covered = mergeRanges([...covered, slice]);
        }
        expect(missingRanges(covered, window)).toEqual([]);
      }),
    );
  });

  it.each([
    [3_600, 500, 500, 3_600],
    [3_600, 1_000, 500, 1_800],
    [3_600, 250, 500, 7_200],
    // One slice says little: no more than eight times longer or shorter.
    [3_600, 1_000_000, 500, 450],
    [3_600, 1, 500, 28_800],
    [3_600, 0, 500, 28_800],
    [1, 10_000, 500, 1],
    [SLICE_SECONDS_MAX, 0, 500, SLICE_SECONDS_MAX],
  ])('of %i s that held %i events, %i wanted, are followed by one of %i s', (...row) => {
    const [seconds, events, wanted, next] = row;
    expect(nextSliceSeconds(seconds, events, wanted)).toBe(next);
  });

  it('reach 1970 within a dozen requests where there is nothing', () => {
    let seconds = SLICE_SECONDS_FIRST;
    let reached = 0;
    let slices = 0;
    while (reached < 1_800_000_000) {
      reached += seconds;
      seconds = nextSliceSeconds(seconds, 0, 500);
      slices += 1;
    }
    expect(slices).toBeLessThanOrEqual(12);
  });
});
