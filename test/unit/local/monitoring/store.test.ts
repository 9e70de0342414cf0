import { limits } from '../../../../functions/local/monitoring/limits.ts';
import { Refusal } from '../../../../functions/local/monitoring/refusal.ts';
import { SeriesStore } from '../../../../functions/local/monitoring/store.ts';
import { timestampOf, type WireTimeSeries } from '../../../../functions/local/monitoring/wire.ts';
import {
  counter,
  distribution,
  gauge,
  metric,
  PROJECT,
} from '../../../support/monitoring/wire-series.ts';

const NOW = Date.UTC(2026, 10, 25, 12);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

let store: SeriesStore;
beforeEach(() => {
  store = new SeriesStore();
});

/** Why a call's series were refused, in the order of the call. */
const write = (list: readonly WireTimeSeries[], nowMs = NOW) =>
  store.write(list, PROJECT, nowMs).map(({ index, reason }) => `${index}: ${reason}`);
const refused = (text: string) => [expect.stringContaining(text)];
const points = () => [...store.series()].flatMap((series) => series.points);

/** A series with one thing changed. */
const changed = (series: WireTimeSeries, changes: Partial<WireTimeSeries>) => ({
  ...series,
  ...changes,
});

describe('a point', () => {
  it('is taken', () => {
    expect(write([gauge(1, NOW)])).toEqual([]);
    expect(points()).toEqual([{ startMs: NOW, endMs: NOW, value: 1 }]);
  });

  it('is refused if it is not alone in its series', () => {
    const series = gauge(1, NOW);
    const [point] = series.points ?? [];
    expect(write([changed(series, { points: [point!, point!] })])).toEqual(
      refused('Exactly one point can be written per TimeSeries per request'),
    );
    expect(write([changed(series, { points: [] })])).toEqual(refused('Exactly one point'));
  });

  it('is refused if another of the same series stands in the call', () => {
    expect(write([gauge(1, NOW), gauge(2, NOW + 10_000)])).toEqual([
      expect.stringMatching(/^1: Duplicate TimeSeries encountered/),
    ]);
    expect(points()).toHaveLength(1);
  });

  it('is refused if it is not newer than the last of its series', () => {
    write([gauge(1, NOW)]);
    expect(write([gauge(2, NOW)])).toEqual(refused('Points must be written in order'));
    expect(write([gauge(2, NOW - 10_000)])).toEqual(refused('Points must be written in order'));
  });

  it('is refused within 5 s of the last of its series, and taken after them', () => {
    write([gauge(1, NOW)]);
    expect(write([gauge(2, NOW + 4_999)])).toEqual(refused('maximum sampling period'));
    expect(write([gauge(2, NOW + 5_000)])).toEqual([]);
  });

  it('may be close to a point of another series', () => {
    write([gauge(1, NOW)]);
    expect(write([gauge(2, NOW, { task: 'task-2' })])).toEqual([]);
  });

  it('is refused if it is more than 25 h old', () => {
    expect(write([gauge(1, NOW - 25 * HOUR - 1)])).toEqual(refused('25 hours in the past'));
    expect(write([gauge(1, NOW - 25 * HOUR)])).toEqual([]);
  });

  it('is refused if it is more than 5 min ahead', () => {
    expect(write([gauge(1, NOW + 5 * MINUTE + 1)])).toEqual(refused('5 minutes in the future'));
    expect(write([gauge(1, NOW + 5 * MINUTE)])).toEqual([]);
  });

  it('is refused without an end', () => {
    const series = changed(gauge(1, NOW), { points: [{ value: { doubleValue: 1 } }] });
    expect(write([series])).toEqual(refused('endTime'));
  });

  it('is refused if its value is of another type than the series claims', () => {
    expect(write([changed(gauge(1, NOW), { valueType: 'INT64' })])).toEqual(refused('valueType'));
    expect(write([changed(gauge(1, NOW), { valueType: 'STRING' })])).toEqual(refused('valueType'));
  });

  it('is refused if it holds no finite number', () => {
    expect(write([gauge(Number.NaN, NOW)])).toEqual(refused('no finite number'));
  });
});

describe('a gauge', () => {
  it('may leave out its start', () => {
    const interval = { endTime: timestampOf(NOW) };
    const series = changed(gauge(1, NOW), { points: [{ interval, value: { doubleValue: 1 } }] });
    expect(write([series])).toEqual([]);
  });

  it('is refused with a start that is not its end', () => {
    const interval = { startTime: timestampOf(NOW - 1), endTime: timestampOf(NOW) };
    const series = changed(gauge(1, NOW), { points: [{ interval, value: { doubleValue: 1 } }] });
    expect(write([series])).toEqual(refused('for GAUGE it must be absent or equal to the end'));
  });
});

describe('a counter', () => {
  it('is refused with a start that is not before its end', () => {
    expect(write([counter(1, [NOW, NOW])])).toEqual(refused('before the end'));
    expect(write([counter(1, [NOW + 1, NOW])])).toEqual(refused('before the end'));
  });

  it('is refused without a start', () => {
    const interval = { endTime: timestampOf(NOW) };
    const given = [{ interval, value: { int64Value: 1 } }];
    expect(write([changed(counter(1, [0, NOW]), { points: given })])).toEqual(refused('startTime'));
  });

  it('goes on with the same start', () => {
    write([counter(1, [NOW - HOUR, NOW])]);
    expect(write([counter(2, [NOW - HOUR, NOW + MINUTE])])).toEqual([]);
  });

  it('begins anew with a start after the last end, and not with one at it or before', () => {
    write([counter(9, [NOW - HOUR, NOW])]);
    expect(write([counter(1, [NOW, NOW + MINUTE])])).toEqual(refused('older start time'));
    expect(write([counter(1, [NOW - MINUTE, NOW + MINUTE])])).toEqual(refused('older start time'));
    expect(write([counter(1, [NOW + 1, NOW + MINUTE])])).toEqual([]);
  });
});

describe('a distribution', () => {
  const interval = [NOW - HOUR, NOW] as const;
  const bounds = [1, 10, 100];
  const taken = distribution({ bounds, counts: [1, 2, 3, 4], mean: 50 }, interval);
  const withValue = (changes: object): WireTimeSeries => {
    const [point] = taken.points ?? [];
    const distributionValue = { ...point?.value?.distributionValue, ...changes };
    return changed(taken, { points: [{ ...point, value: { distributionValue } }] });
  };

  it('is taken', () => {
    expect(write([taken])).toEqual([]);
  });

  it('is refused if its buckets do not sum to its count', () => {
    expect(write([withValue({ count: 11 })])).toEqual(refused('they sum to 10'));
  });

  it('is refused with more counts than its bounds make buckets', () => {
    expect(write([withValue({ bucketCounts: [1, 2, 3, 3, 1] })])).toEqual(
      refused('3 bounds make 4 buckets'),
    );
  });

  it('may leave out trailing zeros', () => {
    expect(write([withValue({ count: 3, bucketCounts: [1, 2] })])).toEqual([]);
    expect(points()[0]?.value).toMatchObject({ bucketCounts: [1, 2, 0, 0] });
  });

  it('is refused with bounds that do not grow, or none', () => {
    const explicit = (given: number[]) => ({
      bucketOptions: { explicitBuckets: { bounds: given } },
    });
    expect(write([withValue(explicit([1, 1, 2]))])).toEqual(refused('bucketOptions'));
    expect(write([withValue(explicit([]))])).toEqual(refused('bucketOptions'));
  });

  it('may tell its buckets by growth or by width', () => {
    const counts = { count: 1, bucketCounts: [0, 1, 0, 0] };
    const exponentialBuckets = { numFiniteBuckets: 2, growthFactor: 2, scale: 5 };
    const linearBuckets = { numFiniteBuckets: 2, width: 3, offset: 1 };
    write([withValue({ ...counts, bucketOptions: { exponentialBuckets } })]);
    expect(points()[0]?.value).toMatchObject({ bounds: [5, 10, 20] });
    store = new SeriesStore();
    write([withValue({ ...counts, bucketOptions: { linearBuckets } })]);
    expect(points()[0]?.value).toMatchObject({ bounds: [1, 4, 7] });
  });

  it('is refused if it is empty and has a mean, a deviation or a range', () => {
    const empty = { count: 0, bucketCounts: [], mean: 0, sumOfSquaredDeviation: 0 };
    expect(write([withValue({ ...empty, mean: 1 })])).toEqual(refused('mean'));
    expect(write([withValue({ ...empty, sumOfSquaredDeviation: 1 })])).toEqual(
      refused('sumOfSquaredDeviation'),
    );
    expect(write([withValue({ ...empty, range: { min: 0, max: 1 } })])).toEqual(refused('range'));
    expect(write([withValue(empty)])).toEqual([]);
  });

  it('is refused with other buckets than before', () => {
    write([taken]);
    const other = { bounds: [1, 10, 1_000], counts: [1, 2, 3, 5] };
    expect(write([distribution(other, [NOW - HOUR, NOW + MINUTE])])).toEqual(
      refused('may not change'),
    );
  });
});

describe('a metric', () => {
  it('keeps the kind that it began with', () => {
    write([gauge(1, NOW)]);
    expect(write([counter(1, [NOW - HOUR, NOW + MINUTE])])).toEqual(refused('metricKind'));
  });

  it('keeps the value type that it began with', () => {
    write([gauge(1, NOW)]);
    const whole = [{ interval: { endTime: timestampOf(NOW + MINUTE) }, value: { int64Value: 1 } }];
    const other = changed(gauge(1, NOW), { valueType: 'INT64', points: whole });
    expect(write([other])).toEqual(refused('valueType'));
  });

  it('keeps the labels that it began with', () => {
    write([gauge(1, NOW, { labels: { state: 'a' } })]);
    expect(write([gauge(1, NOW, { labels: { state: 'b', more: 'c' } })])).toEqual(
      refused('Unrecognized metric labels: [more]'),
    );
    expect(write([gauge(1, NOW)])).toEqual(refused('also has state'));
  });

  it('is never DELTA, which only Google writes', () => {
    expect(write([changed(counter(1, [0, NOW]), { metricKind: 'DELTA' })])).toEqual(
      refused('GAUGE or CUMULATIVE'),
    );
  });

  it("is not one of Google's own", () => {
    expect(write([gauge(1, NOW, { type: 'run.googleapis.com/request_count' })])).toEqual(
      refused('no name of a user-defined metric'),
    );
  });

  it('has labels with proper names and values of bounded length', () => {
    expect(write([gauge(1, NOW, { labels: { 'a-b': 'x' } })])).toEqual(refused('no name of a'));
    const long = 'x'.repeat(limits.labelValueBytesMax + 1);
    expect(write([gauge(1, NOW, { labels: { state: long } })])).toEqual(refused('longer than'));
  });

  it('can be described before its first point, and kind and type cannot be changed so', () => {
    const told = {
      type: metric('sample'),
      metricKind: 'GAUGE',
      valueType: 'DOUBLE',
      unit: 'ms',
      labels: [{ key: 'component' }],
    };
    expect(store.describe(told)).toMatchObject({ unit: 'ms' });
    expect(store.describe({ ...told, metricKind: 'CUMULATIVE' })).toBeInstanceOf(Refusal);
    expect(write([gauge(1, NOW)])).toEqual([]);
    expect(write([counter(1, [0, NOW], { task: 'task-2' })])).toEqual(refused('metricKind'));
  });

  it('keeps its labels and its unit when it is described again', () => {
    const told = { type: metric('sample'), metricKind: 'GAUGE', valueType: 'DOUBLE' };
    store.describe({ ...told, labels: [{ key: 'a' }], unit: 'ms' });
    expect(store.describe({ ...told, labels: [{ key: 'b' }], unit: 's' })).toMatchObject({
      labelKeys: ['a', 'b'],
      unit: 'ms',
    });
  });
});

describe('the resource', () => {
  const withResource = (type: string, labels: Record<string, string>) =>
    changed(gauge(1, NOW), { resource: { type, labels } });
  const whole = { ...gauge(1, NOW).resource?.labels };

  it('is generic_task with every label', () => {
    for (const label of Object.keys(whole)) {
      const { [label]: _, ...rest } = whole;
      expect(write([withResource('generic_task', rest)])).toEqual(
        refused(`${label} must be given`),
      );
    }
  });

  it('has no other labels', () => {
    expect(write([withResource('generic_task', { ...whole, zone: 'a' })])).toEqual(
      refused('has no label zone'),
    );
  });

  it('is of the project that the call names', () => {
    expect(write([withResource('generic_task', { ...whole, project_id: 'other' })])).toEqual(
      refused('project_id is not the project of the call'),
    );
  });

  it('is no other one', () => {
    expect(write([withResource('cloud_run_revision', whole)])).toEqual(refused('resource.type'));
  });
});

describe('a call with bad series among good ones', () => {
  it('writes the good ones and tells the bad ones', () => {
    const list = [gauge(1, NOW), counter(1, [NOW, NOW]), gauge(3, NOW, { task: 'task-3' })];
    expect(write(list)).toEqual([expect.stringMatching(/^1: /)]);
    expect(points().map(({ value }) => value)).toEqual([1, 3]);
  });
});

describe('the store', () => {
  it('keeps a day, thinned the more the older it is, and loses nothing that added up', () => {
    const startMs = NOW - 30 * HOUR;
    let total = 0;
    for (let atMs = NOW - 30 * HOUR + 10_000; atMs <= NOW; atMs += 10_000) {
      total += 1;
      write([counter(total, [startMs, atMs])], atMs);
    }
    const kept = points();
    expect(kept.length).toBeLessThan(800);
    expect(kept.at(-1)?.value).toBe(total);
    expect(kept[0]?.endMs).toBeGreaterThan(NOW - limits.keptMsMax - HOUR);
    const lastMinutes = kept.filter(({ endMs }) => endMs > NOW - 10 * MINUTE);
    expect(lastMinutes).toHaveLength(60);
  });

  it('keeps the last point before each reset, however old', () => {
    let startMs = NOW - 20 * HOUR;
    for (let turn = 0; turn < 100; turn += 1) {
      write([counter(5, [startMs, startMs + 5_000])], startMs + 5_000);
      write([counter(7, [startMs, startMs + 10_000])], startMs + 10_000);
      startMs += 20_000;
    }
    for (let turn = 0; turn < limits.thinnedEvery; turn += 1) {
      const endMs = NOW + turn * 10_000;
      write([counter(100 + turn, [NOW - HOUR, endMs])], endMs);
    }
    expect(points().filter(({ value }) => value === 7)).toHaveLength(100);
  });

  it('drops the series that was written longest ago when there are too many', () => {
    for (let task = 0; task <= limits.seriesMax; task += 1) {
      write([gauge(task, NOW, { task: `task-${task}` })]);
    }
    expect(store.size.series).toBe(limits.seriesMax);
    expect(points()[0]?.value).toBe(1);
  });

  it('drops series of which a day has heard nothing', () => {
    write([gauge(1, NOW, { task: 'gone' })]);
    const later = NOW + limits.keptMsMax + MINUTE;
    write([gauge(2, later)], later);
    expect(points().map(({ value }) => value)).toEqual([2]);
    expect(store.size).toEqual({ series: 1, points: 1 });
  });

  it('takes no more metrics than a project has', () => {
    for (let index = 0; index < limits.descriptorsMax; index += 1) {
      write([gauge(1, NOW, { type: metric(`m${index}`) })]);
    }
    expect(write([gauge(1, NOW, { type: metric('one_more') })])).toEqual(refused('already'));
  });
});
