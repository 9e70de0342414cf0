import fc from 'fast-check';
import { DEFAULT_RATE_LIMITS } from '../../../functions/policy/limits.ts';
import { rateLimited, TokenBuckets } from '../../../functions/policy/rate-limit.ts';

const RATE = { perSecond: 2, burst: 3 };

it('lets a burst through, then tells how long to wait', () => {
  const buckets = new TokenBuckets(RATE, 10);
  expect([1, 2, 3, 4].map(() => buckets.take('a', 1_000))).toEqual([0, 0, 0, 500]);
});

it('lets one through when the time it named is over, and not before', () => {
  const buckets = new TokenBuckets(RATE, 10);
  for (let turn = 0; turn < 3; turn += 1) buckets.take('a', 0);
  expect(buckets.take('a', 499)).toBeGreaterThan(0);
  expect(buckets.take('a', 500)).toBe(0);
  expect(buckets.take('a', 500)).toBe(500);
});

it('counts each key for itself', () => {
  const buckets = new TokenBuckets({ perSecond: 1, burst: 1 }, 10);
  expect(buckets.take('a', 0)).toBe(0);
  expect(buckets.take('b', 0)).toBe(0);
  expect(buckets.take('a', 0)).toBe(1_000);
});

it('saves up no more than the burst', () => {
  const buckets = new TokenBuckets(RATE, 10);
  buckets.take('a', 0);
  const taken = [1, 2, 3, 4].map(() => buckets.take('a', 3_600_000));
  expect(taken).toEqual([0, 0, 0, 500]);
});

it('takes a cost in one piece or not at all', () => {
  const buckets = new TokenBuckets(RATE, 10);
  expect(buckets.take('a', 0, 2)).toBe(0);
  expect(buckets.take('a', 0, 2)).toBe(500);
  expect(buckets.take('a', 0, 1)).toBe(0);
  expect(buckets.take('b', 0, 1_000)).toBe(0);
});

it('is not confused by a clock that steps back', () => {
  const buckets = new TokenBuckets({ perSecond: 1, burst: 1 }, 10);
  expect(buckets.take('a', 10_000)).toBe(0);
  expect(buckets.take('a', 5_000)).toBe(1_000);
  expect(buckets.take('a', 6_000)).toBe(0);
});

it('remembers a bounded number of keys and forgets the one that rested longest', () => {
  const buckets = new TokenBuckets({ perSecond: 1, burst: 1 }, 2);
  buckets.take('a', 0);
  buckets.take('b', 1);
  buckets.take('a', 2);
  buckets.take('c', 3);
  expect(buckets.size).toBe(2);
  expect(buckets.take('a', 4)).toBeGreaterThan(0);
  expect(buckets.take('c', 4)).toBeGreaterThan(0);
  for (let key = 0; key < 1_000; key += 1) buckets.take(`flood ${key}`, 5);
  expect(buckets.size).toBe(2);
});

it('never lets more through than the burst and the rate allow', () => {
  const gaps = fc.array(fc.nat(2_000), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(gaps, fc.integer({ min: 1, max: 50 }), fc.nat(20), (pauses, perSecond, more) => {
      const rate = { perSecond, burst: 1 + more };
      const buckets = new TokenBuckets(rate, 1);
      let now = 0;
      let taken = 0;
      for (const pause of pauses) {
        now += pause;
        if (buckets.take('a', now) === 0) taken += 1;
      }
      expect(taken).toBeLessThanOrEqual(rate.burst + (now / 1_000) * perSecond + 1e-6);
    }),
  );
});

it.each([
  [{ perSecond: 0, burst: 1 }, 1],
  [{ perSecond: 1, burst: 0 }, 1],
  [{ perSecond: 1, burst: 1 }, 0],
  [{ perSecond: Number.NaN, burst: 1 }, 1],
])('refuses the rate %j for %d keys, which lets nothing through', (rate, keysMax) => {
  expect(() => new TokenBuckets(rate, keysMax)).toThrow(RangeError);
});

it('says how much is allowed and how long to wait', () => {
  const { eventsByAddress, versionsByKey } = DEFAULT_RATE_LIMITS;
  expect(rateLimited('events from one address', eventsByAddress, 100)).toBe(
    'rate-limited: 10 events from one address are allowed a second (50 at once), try again in 1 s',
  );
  expect(rateLimited('versions by one key', versionsByKey, 1_001)).toBe(
    'rate-limited: 30 versions by one key are allowed a minute (30 at once), try again in 2 s',
  );
});

it('keeps to another rate from when it is given, and fills no bucket by it', () => {
  const buckets = new TokenBuckets({ perSecond: 4, burst: 8 }, 10);
  for (let turn = 0; turn < 3; turn += 1) buckets.take('a', 0);
  buckets.rate = { perSecond: 1, burst: 2 };
  expect([1, 2, 3].map(() => buckets.take('a', 0))).toEqual([0, 0, 1_000]);
  buckets.rate = { perSecond: 4, burst: 8 };
  expect(buckets.take('a', 0)).toBe(250);
  expect(() => {
    buckets.rate = { perSecond: 0, burst: 8 };
  }).toThrow(RangeError);
});
