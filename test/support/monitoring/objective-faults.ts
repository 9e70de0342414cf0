import { type JsonObject, numberAt, objectAt, textAt } from './json.ts';
import { KNOWN_METRICS } from './known-metrics.ts';
import { parseMetricFilter } from './metric-filter.ts';
import { MESSAGES, shapeFaults } from './protobuf.ts';

/** Everything that is wrong with an objective's file: one cut through a distribution. */
export function objectiveFaults(objective: JsonObject): string[] {
  const shape = shapeFaults(MESSAGES.objective, objective);
  if (shape.length > 0) return shape;
  const faults: string[] = [];
  const cut = objectAt(objective, 'serviceLevelIndicator', 'requestBased', 'distributionCut');
  const goal = numberAt(objective, 'goal');
  if (goal <= 0.5 || goal >= 1) faults.push('a goal lies between a half and one');
  // service.proto: a multiple of a day, at most 30 of them.
  const period = Number(/^(\d+)s$/.exec(textAt(objective, 'rollingPeriod'))?.[1]);
  if (!(period > 0 && period % 86_400 === 0 && period <= 30 * 86_400)) faults.push('no whole days');
  try {
    const { metricType } = parseMetricFilter(textAt(cut, 'distributionFilter'));
    const metric = KNOWN_METRICS.get(metricType);
    if (metric === undefined) faults.push(`unknown metric ${metricType}`);
    else if (metric.valueType !== 'DISTRIBUTION' || metric.kind === 'GAUGE') {
      faults.push(`${metricType} cannot be cut`);
    }
  } catch (error) {
    faults.push((error as Error).message);
  }
  // With 0, a part of the lowest bucket would count as bad.
  if (textAt(cut, 'range', 'min') !== '-Infinity') faults.push('the range has a lower end');
  if (numberAt(cut, 'range', 'max') <= 0) faults.push('the range has no upper end');
  return faults;
}
