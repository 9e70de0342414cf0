import { METRIC_PREFIX } from '../../../functions/cloud/metrics/catalogue.ts';
import { infraFiles } from '../../support/monitoring/files.ts';
import { listAt, objectAt, textAt } from '../../support/monitoring/json.ts';
import { isOurs, KNOWN_METRICS } from '../../support/monitoring/known-metrics.ts';
import { parseBurnRate, parseMetricFilter } from '../../support/monitoring/metric-filter.ts';
import { writtenSeries } from '../../support/monitoring/written-series.ts';
import { ALERT_CASES, CASE_MINUTES } from './alert-cases.ts';

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
          expect(known.labels[label]).toContain(value);
        }
        expect(writtenSeries(series, CASE_MINUTES)).toMatchObject({
          kind: known.kind,
          valueType: known.valueType,
        });
      }
    }
  });
});
