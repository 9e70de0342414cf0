import type { MetricName } from '../../functions/cloud/metrics/catalogue.ts';
import type { DistributionValue } from '../../functions/cloud/metrics/distribution.ts';
import type { Registry } from '../../functions/cloud/metrics/registry.ts';

type Labels = Readonly<Record<string, string>>;

/** The series of a metric that has these labels, and perhaps others; undefined where there is none. */
function seriesOf(
  registry: Registry,
  name: MetricName,
  labels: Labels = {},
): number | DistributionValue | undefined {
  const fits = (has: Labels) => Object.entries(labels).every(([key, value]) => has[key] === value);
  const found = registry.snapshot().filter((one) => one.name === name && fits(one.labels));
  if (found.length > 1) throw new Error(`${name}: ${found.length} series have these labels`);
  return found[0]?.value;
}

/** What a counter has counted or a gauge says; of a distribution how many values it has. */
export function countOf(
  registry: Registry,
  name: MetricName,
  labels: Labels = {},
): number | undefined {
  const value = seriesOf(registry, name, labels);
  return typeof value === 'object' ? value.count : value;
}

/** The mean of a distribution: with one value, the value. */
export function meanOf(registry: Registry, name: MetricName, labels: Labels = {}): number {
  const value = seriesOf(registry, name, labels);
  if (typeof value !== 'object') throw new Error(`${name} is no distribution that has begun`);
  return value.mean;
}
