import { METRIC_PREFIX } from '../../../functions/cloud/metrics/catalogue.ts';
import {
  type Condition,
  evaluateCondition,
} from '../../../functions/local/monitoring/condition.ts';
import { infraFiles } from '../../support/monitoring/files.ts';
import { listAt, objectAt, textAt } from '../../support/monitoring/json.ts';
import { isOurs, KNOWN_METRICS, valuesAllowed } from '../../support/monitoring/known-metrics.ts';
import { parseBurnRate, parseMetricFilter } from '../../support/monitoring/metric-filter.ts';
import { writtenSeries } from '../../support/monitoring/written-series.ts';
import { ALERT_CASES, CASE_MINUTES, type CaseSeries } from './alert-cases.ts';

/** The conditions that can be evaluated on one machine: threshold and absence of our own metrics. */
const evaluable = infraFiles('alerts').flatMap(({ name: alert, json }) =>
  listAt(json, 'conditions').flatMap((condition) => {
    const of = objectAt(condition);
    const filter =
      textAt(of, 'conditionThreshold', 'filter') || textAt(of, 'conditionAbsent', 'filter');
    if (filter === '' || parseBurnRate(filter) !== undefined) return [];
    const { metricType } = parseMetricFilter(filter);
    return isOurs(metricType) ? [{ alert, condition: textAt(of, 'displayName'), metricType }] : [];
  }),
);

describe('the simulated series of the alerts', () => {
  test('are there for each condition that can be evaluated on one machine, once', () => {
    const key = ({ alert, condition }: { alert: string; condition: string }) =>
      `${alert}: ${condition}`;
    expect(ALERT_CASES.map(key).sort()).toEqual(evaluable.map(key).sort());
  });

  test.each(ALERT_CASES)('$alert: $condition: only what the catalogue has is written', (given) => {
    const { metricType } = evaluable.find(({ condition }) => condition === given.condition)!;
    for (const set of [given.fires, given.quiet]) {
      expect(set.map(({ metric }) => METRIC_PREFIX + metric)).toContain(metricType);
      for (const series of set) {
        const known = KNOWN_METRICS.get(METRIC_PREFIX + series.metric)!;
        expect(Object.keys(series.labels).sort()).toEqual(Object.keys(known.labels).sort());
        for (const [label, value] of Object.entries(series.labels)) {
          expect(valuesAllowed(known, label, [series.labels.component])).toContain(value);
        }
        expect(writtenSeries(series, CASE_MINUTES)).toMatchObject({
          kind: known.kind,
          valueType: known.valueType,
        });
      }
    }
  });
});

/** What a condition of a file comes to when processes have written for so long. */
function stateOf(
  { alert, condition }: { readonly alert: string; readonly condition: string },
  series: readonly CaseSeries[],
  minutes = CASE_MINUTES,
): string {
  const policy = infraFiles('alerts').find(({ name }) => name === alert)!;
  const found = listAt(policy.json, 'conditions').find(
    (each) => textAt(each, 'displayName') === condition,
  );
  const written = series.map((each) => writtenSeries(each, minutes));
  return evaluateCondition(written, found as unknown as Condition, minutes * 60_000).state;
}

describe('a condition, evaluated as on one machine', () => {
  test.each(ALERT_CASES)('$alert: $condition: fires when it should', (given) => {
    expect(stateOf(given, given.fires)).toBe('firing');
  });

  test.each(ALERT_CASES)('$alert: $condition: is quiet otherwise', (given) => {
    expect(stateOf(given, given.quiet)).toBe('quiet');
  });

  test.each(ALERT_CASES)('$alert: $condition: is not firing a minute after the start', (given) => {
    expect(stateOf(given, given.quiet, 1)).not.toBe('firing');
  });

  test('no events at all is no alert before half an hour has passed', () => {
    const silent = ALERT_CASES.find(({ alert }) => alert === 'no-events')!;
    const none = silent.fires.map((series) => ({ ...series, each: () => 0 }));
    expect(stateOf(silent, none, 15)).toBe('quiet');
    expect(stateOf(silent, none, 45)).toBe('firing');
  });
});
