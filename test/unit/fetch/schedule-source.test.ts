import fc from 'fast-check';
import {
  BACKOFF_SECONDS_MAX,
  DEAD_FAILURES,
  DEAD_SECONDS,
  INTERVAL_SECONDS_MAX,
  INTERVAL_SECONDS_MIN,
  type Standing,
  scheduleSource,
  type Visit,
} from '../../../functions/fetch/schedule-source.ts';

const NEW: Standing = { newPerRequest: 0, uptime: 1, failuresInRow: 0 };
const visit = (given: Partial<Visit> = {}): Visit => ({
  requests: 1,
  newEvents: 0,
  failed: false,
  unfinished: false,
  ...given,
});
/** The same visit again and again, with no jitter. */
const visits = (times: number, given: Partial<Visit>, before = NEW) => {
  let schedule = { standing: before, nextInSeconds: 0 };
  for (let n = 0; n < times; n += 1)
    schedule = scheduleSource(schedule.standing, visit(given), 0.5);
  return schedule;
};

describe('the schedule of a source', () => {
  it('comes round each hour where there is nothing new, and each minute where there is much', () => {
    expect(visits(1, {}).nextInSeconds).toBe(INTERVAL_SECONDS_MAX);
    expect(visits(30, { newEvents: 500 }).nextInSeconds).toBe(INTERVAL_SECONDS_MIN);
    const some = visits(30, { newEvents: 3 }).nextInSeconds;
    expect(some).toBeGreaterThan(INTERVAL_SECONDS_MIN);
    expect(some).toBeLessThan(INTERVAL_SECONDS_MAX);
  });

  it('backs off up to an hour while our own side fails, and holds nothing against the source', () => {
    const one = visits(1, { ours: true, unfinished: true });
    expect(one).toEqual({ standing: { ...NEW, failuresInRow: 1 }, nextInSeconds: 60 });
    const many = visits(100, { ours: true });
    expect(many.nextInSeconds).toBe(INTERVAL_SECONDS_MAX);
    expect(many.standing).toMatchObject({ uptime: 1, newPerRequest: 0 });
    expect(many.standing.failuresInRow).toBeLessThan(DEAD_FAILURES);
    expect(visits(1, {}, many.standing).standing.failuresInRow).toBe(0);
  });

  it('goes on at once where the bounds of a run left something to fetch', () => {
    expect(visits(1, { unfinished: true }).nextInSeconds).toBe(INTERVAL_SECONDS_MIN);
  });

  it('is slower for one that is often away than for one that always answers', () => {
    const shaky = visits(1, { newEvents: 4 }, { ...NEW, uptime: 0.4 }).nextInSeconds;
    expect(shaky).toBeGreaterThan(visits(1, { newEvents: 4 }).nextInSeconds);
  });

  it('backs off twice as long after each failure, up to a day, and then to a week', () => {
    const waits = Array.from(
      { length: DEAD_FAILURES },
      (_, n) => visits(n + 1, { requests: 0, failed: true }).nextInSeconds,
    );
    expect(waits.slice(0, 4)).toEqual([60, 120, 240, 480]);
    expect(waits.at(-2)).toBe(BACKOFF_SECONDS_MAX);
    expect(waits.at(-1)).toBe(DEAD_SECONDS);
  });

  it('is forgiven its failures by one success, but not the uptime that they cost', () => {
    const dead = visits(DEAD_FAILURES, { requests: 0, failed: true }).standing;
    const back = visits(1, {}, dead);
    expect(back.standing.failuresInRow).toBe(0);
    expect(back.standing.uptime).toBeLessThan(0.3);
    expect(back.nextInSeconds).toBeGreaterThan(INTERVAL_SECONDS_MAX);
    expect(back.nextInSeconds).toBeLessThan(BACKOFF_SECONDS_MAX);
  });

  it('keeps the yield of a source that could not be asked', () => {
    const rich = { ...NEW, newPerRequest: 40 };
    const failed = visits(3, { requests: 0, failed: true }, rich);
    expect(failed.standing.newPerRequest).toBe(40);
  });

  it('stays within its bounds whatever happened and whatever chance says', () => {
    const standing = fc.record({
      newPerRequest: fc.double({ min: 0, max: 1e6, noNaN: true }),
      uptime: fc.double({ min: 0, max: 1, noNaN: true }),
      failuresInRow: fc.nat(10_000),
    });
    const any = fc.record({
      requests: fc.nat(1_000),
      newEvents: fc.nat(1_000_000),
      failed: fc.boolean(),
      unfinished: fc.boolean(),
    });
    const chance = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(standing, any, chance, (before, given, jitter) => {
        const { standing: next, nextInSeconds } = scheduleSource(before, given, jitter);
        expect(Number.isInteger(nextInSeconds)).toBe(true);
        expect(nextInSeconds).toBeGreaterThanOrEqual(INTERVAL_SECONDS_MIN);
        expect(nextInSeconds).toBeLessThanOrEqual(DEAD_SECONDS * 1.1);
        expect(next.uptime).toBeGreaterThanOrEqual(0);
        expect(next.uptime).toBeLessThanOrEqual(1);
        expect(next.newPerRequest).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});
