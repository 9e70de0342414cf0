import {
  checkAggregations,
  evaluateQuery,
  evaluateRatio,
} from '../../../../functions/local/monitoring/evaluate.ts';
import { EvaluationError } from '../../../../functions/local/monitoring/evaluation-error.ts';
import type { Aggregation } from '../../../../functions/local/monitoring/query.ts';
import { SeriesStore } from '../../../../functions/local/monitoring/store.ts';
import type { WireTimeSeries } from '../../../../functions/local/monitoring/wire.ts';
import {
  counter,
  distribution,
  gauge,
  metric,
  PROJECT,
  type WireOptions,
} from '../../../support/monitoring/wire-series.ts';

const START = Date.UTC(2026, 10, 25, 12);
const MINUTE = 60_000;
const at = (minutes: number) => START + minutes * MINUTE;
const FILTER = `metric.type="${metric('sample')}" AND resource.type="generic_task"`;

let store: SeriesStore;
beforeEach(() => {
  store = new SeriesStore();
});

/** Writes what must be accepted. */
function write(...list: WireTimeSeries[]): void {
  for (const series of list) expect(store.write([series], PROJECT, at(30))).toEqual([]);
}

function evaluate(aggregation: Aggregation, minutes = 4, rest: object = {}) {
  const query = {
    filter: FILTER,
    aggregation: { alignmentPeriod: '60s', ...aggregation },
    ...rest,
  };
  return evaluateQuery(store.series(), query, { startMs: at(0), endMs: at(minutes) });
}

/** The values of the only line, by minute. */
function only(aggregation: Aggregation, minutes = 4, rest: object = {}) {
  const lines = evaluate(aggregation, minutes, rest);
  expect(lines).toHaveLength(1);
  return Object.fromEntries(
    lines[0]!.points.map(({ timeMs, value }) => [(timeMs - START) / MINUTE, value]),
  );
}

const gauges = (values: Readonly<Record<number, number>>, options: WireOptions = {}) =>
  Object.entries(values)
    .map(([minute, value]) => [Number(minute), value] as const)
    .sort(([one], [other]) => one - other)
    .map(([minute, value]) => gauge(value, at(minute), options));

describe('aligning a gauge', () => {
  beforeEach(() => write(...gauges({ 0.5: 1, 0.75: 5, 1: 3, 2.5: 7 })));

  it.each([
    ['ALIGN_MEAN', { 1: 3, 3: 7 }],
    ['ALIGN_MAX', { 1: 5, 3: 7 }],
    ['ALIGN_MIN', { 1: 1, 3: 7 }],
    ['ALIGN_SUM', { 1: 9, 3: 7 }],
    ['ALIGN_COUNT', { 1: 3, 3: 1 }],
    ['ALIGN_NEXT_OLDER', { 1: 3, 3: 7 }],
  ])('by %s makes one value of each period that has any', (perSeriesAligner, expected) => {
    expect(only({ perSeriesAligner })).toEqual(expected);
  });

  it('counts a value at the end of a period to it, and one at the start to the one before', () => {
    expect(only({ perSeriesAligner: 'ALIGN_COUNT' }, 2)).toEqual({ 1: 3 });
  });

  it('by nothing gives the points as they are', () => {
    expect(only({})).toEqual({ 0.5: 1, 0.75: 5, 1: 3, 2.5: 7 });
  });
});

describe('aligning a truth', () => {
  it('by ALIGN_FRACTION_TRUE gives the share of true', () => {
    for (const [minute, boolValue] of [
      [0.2, true],
      [0.4, false],
      [0.6, true],
      [0.8, true],
    ] as const) {
      const series = gauge(0, at(minute));
      const [point] = series.points ?? [];
      write({ ...series, valueType: 'BOOL', points: [{ ...point, value: { boolValue } }] });
    }
    expect(only({ perSeriesAligner: 'ALIGN_FRACTION_TRUE' })).toEqual({ 1: 0.75 });
  });
});

describe('aligning a counter', () => {
  it('by ALIGN_DELTA gives what came in each period, spread between two points', () => {
    write(counter(10, [at(0), at(1)]), counter(30, [at(0), at(3)]));
    expect(only({ perSeriesAligner: 'ALIGN_DELTA' })).toEqual({ 1: 10, 2: 10, 3: 10 });
  });

  it('by ALIGN_RATE gives it by the second', () => {
    write(counter(60, [at(0), at(1)]), counter(180, [at(0), at(2)]));
    expect(only({ perSeriesAligner: 'ALIGN_RATE' })).toEqual({ 1: 1, 2: 2 });
  });

  it('counts the first point of a process from its start', () => {
    write(counter(30, [at(1.5), at(2)]));
    expect(only({ perSeriesAligner: 'ALIGN_DELTA' })).toEqual({ 2: 30 });
  });

  it('counts a new start from zero, and nothing between the two', () => {
    write(counter(10, [at(0), at(1)]), counter(4, [at(2), at(3)]));
    expect(only({ perSeriesAligner: 'ALIGN_DELTA' })).toEqual({ 1: 10, 3: 4 });
  });

  it('takes a sum that shrank without a new start as begun anew', () => {
    write(counter(10, [at(0), at(1)]), counter(4, [at(0), at(2)]));
    expect(only({ perSeriesAligner: 'ALIGN_DELTA' })).toEqual({ 1: 10, 2: 4 });
  });

  it('knows of what came before the range only to subtract it', () => {
    write(counter(100, [at(-10), at(-1)]), counter(110, [at(-10), at(1)]));
    expect(only({ perSeriesAligner: 'ALIGN_DELTA' }, 1)).toEqual({ 1: 5 });
  });

  it('has values while it stands still', () => {
    write(counter(10, [at(0), at(1)]), counter(10, [at(0), at(2)]));
    expect(only({ perSeriesAligner: 'ALIGN_DELTA' })).toEqual({ 1: 10, 2: 0 });
  });
});

describe('aligning a distribution', () => {
  const bounds = [10, 20, 40];

  it('by ALIGN_DELTA needs a reducer that makes a number of it', () => {
    write(distribution({ bounds, counts: [0, 4, 0, 0] }, [at(0), at(1)]));
    expect(() => only({ perSeriesAligner: 'ALIGN_DELTA' })).toThrow('A distribution is no number');
  });

  it.each([
    ['REDUCE_PERCENTILE_50', 15],
    ['REDUCE_PERCENTILE_95', 19.5],
    ['REDUCE_PERCENTILE_99', 19.9],
  ])('and %s finds the value inside its bucket', (crossSeriesReducer, expected) => {
    write(distribution({ bounds, counts: [0, 100, 0, 0] }, [at(0), at(1)]));
    const values = only({ perSeriesAligner: 'ALIGN_DELTA', crossSeriesReducer });
    expect(values[1]).toBeCloseTo(expected);
  });

  it('begins the first bucket at 0, and knows no end of the last', () => {
    write(distribution({ bounds, counts: [10, 0, 0, 0] }, [at(0), at(1)]));
    write(distribution({ bounds, counts: [10, 0, 0, 10] }, [at(0), at(2)]));
    const reducer = { crossSeriesReducer: 'REDUCE_PERCENTILE_50' };
    expect(only({ perSeriesAligner: 'ALIGN_DELTA', ...reducer })).toEqual({ 1: 5, 2: 40 });
  });

  it('looks at what came in the period, not at all since the start', () => {
    write(distribution({ bounds, counts: [100, 0, 0, 0] }, [at(0), at(1)]));
    write(distribution({ bounds, counts: [100, 0, 2, 0] }, [at(0), at(2)]));
    const reducer = { crossSeriesReducer: 'REDUCE_PERCENTILE_50' };
    expect(only({ perSeriesAligner: 'ALIGN_DELTA', ...reducer })).toEqual({ 1: 5, 2: 30 });
  });

  it('adds those of all series before a percentile is taken', () => {
    write(distribution({ bounds, counts: [98, 0, 0, 0] }, [at(0), at(1)], { task: 'a' }));
    write(distribution({ bounds, counts: [0, 0, 2, 0] }, [at(0), at(1)], { task: 'b' }));
    const reducer = { crossSeriesReducer: 'REDUCE_PERCENTILE_99' };
    expect(only({ perSeriesAligner: 'ALIGN_DELTA', ...reducer })).toEqual({ 1: 30 });
  });

  it('and REDUCE_MEAN gives the mean of all values', () => {
    write(distribution({ bounds, counts: [3, 0, 0, 0], mean: 2 }, [at(0), at(1)], { task: 'a' }));
    write(distribution({ bounds, counts: [0, 0, 1, 0], mean: 30 }, [at(0), at(1)], { task: 'b' }));
    const reducer = { crossSeriesReducer: 'REDUCE_MEAN' };
    expect(only({ perSeriesAligner: 'ALIGN_DELTA', ...reducer })).toEqual({ 1: 9 });
  });

  it('has no value where nothing came', () => {
    write(distribution({ bounds, counts: [1, 0, 0, 0] }, [at(0), at(1)]));
    write(distribution({ bounds, counts: [1, 0, 0, 0] }, [at(0), at(2)]));
    const reducer = { crossSeriesReducer: 'REDUCE_PERCENTILE_50' };
    expect(Object.keys(only({ perSeriesAligner: 'ALIGN_DELTA', ...reducer }))).toEqual(['1']);
  });
});

describe('reducing', () => {
  beforeEach(() => {
    write(...gauges({ 1: 1 }, { task: 'a', labels: { state: 'x' } }));
    write(...gauges({ 1: 2 }, { task: 'b', labels: { state: 'x' } }));
    write(...gauges({ 1: 9 }, { task: 'c', labels: { state: 'y' } }));
  });

  it.each([
    ['REDUCE_SUM', 12],
    ['REDUCE_MEAN', 4],
    ['REDUCE_MAX', 9],
    ['REDUCE_MIN', 1],
    ['REDUCE_COUNT', 3],
    ['REDUCE_PERCENTILE_50', 2],
    ['REDUCE_PERCENTILE_99', 8.86],
  ])('by %s makes one line of all', (crossSeriesReducer, expected) => {
    const values = only({ perSeriesAligner: 'ALIGN_MEAN', crossSeriesReducer });
    expect(values[1]).toBeCloseTo(expected);
  });

  it('keeps apart what the groups tell apart, and only their labels', () => {
    const lines = evaluate({
      perSeriesAligner: 'ALIGN_MEAN',
      crossSeriesReducer: 'REDUCE_SUM',
      groupByFields: ['metric.label."state"'],
    });
    expect(lines).toEqual([
      { labels: { state: 'x' }, points: [{ timeMs: at(1), value: 3 }] },
      { labels: { state: 'y' }, points: [{ timeMs: at(1), value: 9 }] },
    ]);
  });

  it('groups by labels of the resource too', () => {
    const groupByFields = ['resource.labels.task_id', 'metric.labels.state'];
    const lines = evaluate({
      perSeriesAligner: 'ALIGN_MEAN',
      crossSeriesReducer: 'REDUCE_SUM',
      groupByFields,
    });
    expect(lines.map(({ labels }) => labels)).toEqual([
      { task_id: 'a', state: 'x' },
      { task_id: 'b', state: 'x' },
      { task_id: 'c', state: 'y' },
    ]);
  });

  it('by nothing keeps every series with all its labels', () => {
    const lines = evaluate({ perSeriesAligner: 'ALIGN_MEAN', crossSeriesReducer: 'REDUCE_NONE' });
    expect(lines).toHaveLength(3);
    expect(lines[0]?.labels).toMatchObject({ task_id: 'a', state: 'x', component: 'relay' });
  });

  it('needs aligned values', () => {
    expect(() => evaluate({ crossSeriesReducer: 'REDUCE_SUM' })).toThrow('needs an aligner');
  });
});

describe('a second aggregation', () => {
  it('works on what the first one made', () => {
    write(...gauges({ 1: 1, 2: 5 }, { task: 'a' }), ...gauges({ 1: 2, 2: 6 }, { task: 'b' }));
    const secondaryAggregation = { alignmentPeriod: '120s', perSeriesAligner: 'ALIGN_MAX' };
    const values = only({ perSeriesAligner: 'ALIGN_MEAN', crossSeriesReducer: 'REDUCE_SUM' }, 2, {
      secondaryAggregation,
    });
    expect(values).toEqual({ 2: 11 });
  });

  it('adds the deltas of shorter periods up', () => {
    write(counter(10, [at(0), at(1)]), counter(40, [at(0), at(2)]));
    const secondaryAggregation = { alignmentPeriod: '120s', perSeriesAligner: 'ALIGN_DELTA' };
    const values = only({ perSeriesAligner: 'ALIGN_DELTA' }, 2, { secondaryAggregation });
    expect(values).toEqual({ 2: 40 });
  });
});

describe('a ratio', () => {
  const side = (type: string) => ({
    filter: `metric.type="${metric(type)}" resource.type="generic_task"`,
    aggregation: {
      alignmentPeriod: '60s',
      perSeriesAligner: 'ALIGN_RATE',
      crossSeriesReducer: 'REDUCE_SUM',
      groupByFields: ['metric.label.component'],
    },
  });
  const query = { numerator: side('bad'), denominator: side('all') };
  const range = { startMs: at(0), endMs: at(2) };

  it('divides line by line', () => {
    write(counter(5, [at(0), at(1)], { type: metric('bad') }));
    write(counter(20, [at(0), at(1)], { type: metric('all') }));
    write(counter(1, [at(0), at(1)], { type: metric('bad'), job: 'store' }));
    write(counter(2, [at(0), at(1)], { type: metric('all'), job: 'store' }));
    expect(evaluateRatio([...store.series()], query, range)).toEqual([
      { labels: { component: 'relay' }, points: [{ timeMs: at(1), value: 0.25 }] },
      { labels: { component: 'store' }, points: [{ timeMs: at(1), value: 0.5 }] },
    ]);
  });

  it('has no value where there is nothing to divide by', () => {
    write(counter(0, [at(0), at(1)], { type: metric('bad') }));
    write(counter(0, [at(0), at(1)], { type: metric('all') }));
    expect(evaluateRatio([...store.series()], query, range)).toEqual([
      { labels: { component: 'relay' }, points: [] },
    ]);
  });
});

describe('picking', () => {
  it('keeps the lines that rank highest, or lowest', () => {
    for (const [task, value] of Object.entries({ a: 1, b: 3, c: 2 })) {
      write(gauge(value, at(1), { task }));
    }
    const tasks = (direction: string) =>
      evaluate({ perSeriesAligner: 'ALIGN_MEAN' }, 4, {
        pickTimeSeriesFilter: { rankingMethod: 'METHOD_MAX', numTimeSeries: 2, direction },
      }).map(({ labels }) => labels['task_id']);
    expect(tasks('TOP')).toEqual(['b', 'c']);
    expect(tasks('BOTTOM')).toEqual(['a', 'c']);
  });
});

describe('steps shorter than the period', () => {
  it('give more values, each of a whole period', () => {
    write(counter(60, [at(0), at(1)]), counter(240, [at(0), at(2)]));
    const query = {
      filter: FILTER,
      aggregation: { alignmentPeriod: '60s', perSeriesAligner: 'ALIGN_RATE' },
    };
    const range = { startMs: at(1), endMs: at(2), stepMs: 30_000 };
    const [line] = evaluateQuery(store.series(), query, range);
    expect(line?.points.map(({ value }) => value)).toEqual([2, 3]);
  });
});

describe('what Cloud Monitoring would not take', () => {
  it.each([
    ['CUMULATIVE', 'DISTRIBUTION', 'ALIGN_PERCENTILE_99'],
    ['CUMULATIVE', 'DISTRIBUTION', 'ALIGN_RATE'],
    ['CUMULATIVE', 'INT64', 'ALIGN_MEAN'],
    ['CUMULATIVE', 'INT64', 'ALIGN_SUM'],
    ['GAUGE', 'DOUBLE', 'ALIGN_RATE'],
    ['GAUGE', 'DOUBLE', 'ALIGN_DELTA'],
    ['GAUGE', 'DOUBLE', 'ALIGN_FRACTION_TRUE'],
    ['GAUGE', 'BOOL', 'ALIGN_MEAN'],
    ['DELTA', 'DISTRIBUTION', 'ALIGN_MAX'],
  ] as const)('is refused for %s %s: %s', (kind, valueType, perSeriesAligner) => {
    const aggregation = { alignmentPeriod: '60s', perSeriesAligner };
    expect(() => checkAggregations(FILTER, [aggregation], { kind, valueType })).toThrow(
      `The aligner cannot be applied to metrics with kind ${kind} and value type ${valueType}.`,
    );
  });

  it('can be found without any data', () => {
    const aggregation = {
      alignmentPeriod: '60s',
      perSeriesAligner: 'ALIGN_DELTA',
      crossSeriesReducer: 'REDUCE_MAX',
    };
    const shape = { kind: 'CUMULATIVE', valueType: 'DISTRIBUTION' } as const;
    expect(() => checkAggregations(FILTER, [aggregation], shape)).toThrow('REDUCE_MAX');
    const percentile = { ...aggregation, crossSeriesReducer: 'REDUCE_PERCENTILE_99' };
    expect(() => checkAggregations(FILTER, [percentile], shape)).not.toThrow();
  });

  it.each([
    [{ perSeriesAligner: 'ALIGN_STDDEV' }, 'The aligner ALIGN_STDDEV is not known here'],
    [
      { perSeriesAligner: 'ALIGN_MEAN', crossSeriesReducer: 'REDUCE_STDDEV' },
      'The reducer REDUCE_STDDEV is not known here',
    ],
    [{ perSeriesAligner: 'ALIGN_MEAN', alignmentPeriod: '30s' }, 'at least 60 s'],
    [{ perSeriesAligner: 'ALIGN_MEAN', alignmentPeriod: '1m' }, 'No duration: 1m'],
    [
      {
        perSeriesAligner: 'ALIGN_MEAN',
        crossSeriesReducer: 'REDUCE_SUM',
        groupByFields: ['metadata.user_labels.x'],
      },
      'metadata.user_labels.x',
    ],
  ])('throws an error of its own: %j', (aggregation, message) => {
    write(gauge(1, at(1)));
    expect(() => evaluate(aggregation)).toThrow(EvaluationError);
    expect(() => evaluate(aggregation)).toThrow(message);
  });
});
