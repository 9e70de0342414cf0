import {
  evaluateCondition,
  type ThresholdCondition,
} from '../../../../functions/local/monitoring/condition.ts';
import { EvaluationError } from '../../../../functions/local/monitoring/evaluation-error.ts';
import { type AlertPolicy, evaluatePolicy } from '../../../../functions/local/monitoring/policy.ts';
import { SeriesStore } from '../../../../functions/local/monitoring/store.ts';
import type { WireTimeSeries } from '../../../../functions/local/monitoring/wire.ts';
import { counter, gauge, metric, PROJECT } from '../../../support/monitoring/wire-series.ts';

const START = Date.UTC(2026, 10, 25, 12);
const MINUTE = 60_000;
const at = (minutes: number) => START + minutes * MINUTE;

let store: SeriesStore;
beforeEach(() => {
  store = new SeriesStore();
});

function write(...list: WireTimeSeries[]): void {
  for (const series of list) expect(store.write([series], PROJECT, at(30))).toEqual([]);
}

/** One value a minute, from minute 1 on. */
const minutely = (values: readonly number[], task = 'a') =>
  values.map((value, index) => gauge(value, at(index + 1), { task }));

const GAUGE: ThresholdCondition = {
  filter: `metric.type="${metric('sample')}" AND resource.type="generic_task"`,
  aggregations: [{ alignmentPeriod: '60s', perSeriesAligner: 'ALIGN_MAX' }],
  comparison: 'COMPARISON_GT',
  thresholdValue: 10,
  duration: '0s',
};

const evaluate = (changes: Partial<ThresholdCondition>, nowMinute: number) =>
  evaluateCondition(
    store.series(),
    { conditionThreshold: { ...GAUGE, ...changes } },
    at(nowMinute),
  );
const state = (changes: Partial<ThresholdCondition>, nowMinute: number) =>
  evaluate(changes, nowMinute).state;

describe('a threshold', () => {
  it('fires above it, and not at it', () => {
    write(...minutely([11]));
    expect(state({}, 1)).toBe('firing');
    expect(state({ thresholdValue: 11 }, 1)).toBe('quiet');
  });

  it('fires below it where that is asked', () => {
    write(...minutely([9]));
    expect(state({ comparison: 'COMPARISON_LT' }, 1)).toBe('firing');
    expect(state({ comparison: 'COMPARISON_LT', thresholdValue: 9 }, 1)).toBe('quiet');
  });

  it('without a duration looks at the newest value alone', () => {
    write(...minutely([11, 9]));
    expect(state({}, 2)).toBe('quiet');
  });

  it('with a duration fires only if every value in it violates', () => {
    write(...minutely([11, 9, 11, 11, 11]));
    expect(state({ duration: '180s' }, 5)).toBe('firing');
    expect(state({ duration: '240s' }, 5)).toBe('quiet');
  });

  it('with a duration waits until it has passed', () => {
    write(...minutely([11, 11]));
    expect(state({ duration: '180s' }, 2)).toBe('quiet');
  });

  it('has no data before the first point', () => {
    expect(state({}, 1)).toBe('no data');
  });

  it('has no data some time after the last point, and does not fire', () => {
    write(...minutely([11]));
    expect(state({}, 10)).toBe('no data');
  });

  it('takes missing data as it is told to', () => {
    write(...minutely([9]));
    const duration = '60s';
    const missing = (what: string) =>
      state({ duration, evaluationMissingData: `EVALUATION_MISSING_DATA_${what}` }, 10);
    expect(missing('ACTIVE')).toBe('firing');
    expect(missing('INACTIVE')).toBe('quiet');
    expect(missing('NO_OP')).toBe('no data');
  });

  it('fires if one line violates, unless the trigger asks for more', () => {
    write(...minutely([11], 'a'), ...minutely([9], 'b'), ...minutely([12], 'c'));
    expect(state({}, 1)).toBe('firing');
    expect(state({ trigger: { count: 2 } }, 1)).toBe('firing');
    expect(state({ trigger: { count: 3 } }, 1)).toBe('quiet');
    expect(state({ trigger: { percent: 60 } }, 1)).toBe('firing');
    expect(state({ trigger: { percent: 70 } }, 1)).toBe('quiet');
  });

  it('tells what it saw', () => {
    write(...minutely([11]));
    expect(evaluate({}, 1).observed).toEqual([
      expect.objectContaining({ value: 11, violates: true }),
    ]);
  });

  it('is not misled by a period that has just begun', () => {
    write(counter(600, [at(0), at(1)]), counter(1_200, [at(0), at(2)]));
    const aggregations = [{ alignmentPeriod: '60s', perSeriesAligner: 'ALIGN_RATE' }];
    const low = { aggregations, comparison: 'COMPARISON_LT', thresholdValue: 9 };
    expect(state(low, 2.5)).toBe('quiet');
  });

  it('compares a ratio where there is a denominator', () => {
    const aggregations = [{ alignmentPeriod: '60s', perSeriesAligner: 'ALIGN_DELTA' }];
    write(counter(30, [at(0), at(1)]));
    write(counter(100, [at(0), at(1)], { type: metric('all') }));
    const ratio = {
      aggregations,
      denominatorFilter: `metric.type="${metric('all')}"`,
      denominatorAggregations: aggregations,
    };
    expect(state({ ...ratio, thresholdValue: 0.2 }, 1)).toBe('firing');
    expect(state({ ...ratio, thresholdValue: 0.4 }, 1)).toBe('quiet');
  });

  it.each([
    [{ comparison: 'COMPARISON_GE' }, 'COMPARISON_GE'],
    [{ forecastOptions: { forecastHorizon: '3600s' } }, 'Forecasts'],
    [{ duration: '90s' }, 'multiple of 60 s'],
    [{ aggregations: [{ alignmentPeriod: '60s', perSeriesAligner: 'ALIGN_X' }] }, 'ALIGN_X'],
  ])('throws an error of its own for what it does not know: %j', (changes, message) => {
    write(...minutely([1]));
    expect(() => evaluate(changes, 1)).toThrow(EvaluationError);
    expect(() => evaluate(changes, 1)).toThrow(message);
  });
});

describe('an absence', () => {
  const absent = (nowMinute: number, changes: object = {}) =>
    evaluateCondition(
      store.series(),
      {
        conditionAbsent: {
          filter: GAUGE.filter,
          aggregations: [
            {
              alignmentPeriod: '60s',
              perSeriesAligner: 'ALIGN_COUNT',
              crossSeriesReducer: 'REDUCE_SUM',
            },
          ],
          duration: '300s',
          ...changes,
        },
      },
      at(nowMinute),
    ).state;

  it('fires when nothing has come for so long', () => {
    write(...minutely([1]));
    expect(absent(5.9)).toBe('quiet');
    expect(absent(6.1)).toBe('firing');
  });

  it('needs something that came once', () => {
    expect(absent(10)).toBe('no data');
  });

  it('is quiet while one of a group still writes', () => {
    write(...minutely([1], 'gone'), gauge(1, at(8), { task: 'new' }));
    expect(absent(10)).toBe('quiet');
  });

  it('looks at no less than two minutes', () => {
    expect(() => absent(1, { duration: '60s' })).toThrow('at least 120 s');
  });
});

describe('what is not evaluated here', () => {
  it('is PromQL, with the metrics that it names', () => {
    const query =
      'sum(rate({"__name__"="custom.googleapis.com/distrise/a", "x"="y"}[5m])) / ' +
      'sum(rate({"run.googleapis.com/b"}[5m])) > custom_googleapis_com:distrise_c';
    expect(evaluateCondition([], { conditionPrometheusQueryLanguage: { query } }, START)).toEqual({
      state: 'not evaluated here',
      observed: [],
      metrics: [
        'custom.googleapis.com/distrise/a',
        'run.googleapis.com/b',
        'custom_googleapis_com:distrise_c',
      ],
    });
  });

  it('is the burn rate of an SLO', () => {
    const filter = 'select_slo_burn_rate("projects/p/services/s/serviceLevelObjectives/o", "1h")';
    expect(state({ filter }, 1)).toBe('not evaluated here');
  });

  it("is one of Google's own metrics", () => {
    const filter = 'metric.type="pubsub.googleapis.com/subscription/num_undelivered_messages"';
    expect(evaluate({ filter }, 1)).toMatchObject({
      state: 'not evaluated here',
      metrics: ['pubsub.googleapis.com/subscription/num_undelivered_messages'],
    });
  });

  it('is not what nobody knows, which throws', () => {
    const condition = { displayName: 'x', conditionSql: { query: 'SELECT 1' } };
    expect(() => evaluateCondition([], condition, START)).toThrow('conditionSql is not known');
  });
});

describe('a policy', () => {
  const above = (thresholdValue: number) => ({
    displayName: `above ${thresholdValue}`,
    conditionThreshold: { ...GAUGE, thresholdValue },
  });
  const policy = (changes: AlertPolicy) => evaluatePolicy(store.series(), changes, at(1)).state;
  beforeEach(() => write(...minutely([10])));

  it('with OR fires if one of its conditions does', () => {
    expect(policy({ combiner: 'OR', conditions: [above(5), above(15)] })).toBe('firing');
    expect(policy({ combiner: 'OR', conditions: [above(12), above(15)] })).toBe('quiet');
  });

  it('with AND fires if all of its conditions do', () => {
    expect(policy({ combiner: 'AND', conditions: [above(5), above(15)] })).toBe('quiet');
    expect(policy({ combiner: 'AND', conditions: [above(5), above(6)] })).toBe('firing');
  });

  it('fires never while it is disabled', () => {
    expect(policy({ enabled: false, conditions: [above(5)] })).toBe('disabled');
  });

  it('does not claim to be quiet where a condition was not evaluated', () => {
    const promQl = { conditionPrometheusQueryLanguage: { query: 'up' } };
    expect(policy({ conditions: [above(15), promQl] })).toBe('not evaluated here');
    expect(policy({ conditions: [above(5), promQl] })).toBe('firing');
  });
});
