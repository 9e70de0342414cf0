import { definitionOf, METRIC_PREFIX } from '../../../functions/cloud/metrics/catalogue.ts';
import { Distribution } from '../../../functions/cloud/metrics/distribution.ts';
import type { CaseSeries } from '../../unit/infra/alert-cases.ts';

/** A series with its points, as Cloud Monitoring keeps what a process wrote every minute. */
export function writtenSeries(series: CaseSeries, minutes: number) {
  const { metric, labels, task, each } = series;
  const definition = definitionOf(metric);
  const named = {
    metricType: METRIC_PREFIX + metric,
    metricLabels: labels,
    resourceType: 'generic_task',
    resourceLabels: { location: 'local', namespace: 'test', job: labels.component, task_id: task },
  };
  const gauge = definition.kind === 'gauge';
  const bounds = definition.kind === 'distribution' ? definition.bounds : [];
  const gathered = new Distribution(bounds);
  let count = 0;
  const points = Array.from({ length: minutes }, (_, minute) => {
    const given = each(minute);
    if (given === undefined) return [];
    const values = typeof given === 'number' ? [given] : given;
    for (const value of values) {
      count += value;
      gathered.record(value);
    }
    const endMs = (minute + 1) * 60_000;
    const value = gauge ? values[0]! : bounds.length > 0 ? { ...gathered.value(), bounds } : count;
    return [{ startMs: gauge ? endMs : 0, endMs, value }];
  }).flat();
  const [kind, valueType] = gauge
    ? (['GAUGE', 'DOUBLE'] as const)
    : (['CUMULATIVE', bounds.length > 0 ? 'DISTRIBUTION' : 'INT64'] as const);
  return { ...named, kind, valueType, points };
}
