/** Series as the local Cloud Monitoring keeps them, free of the wire's shape. */

export type MetricKind = 'GAUGE' | 'DELTA' | 'CUMULATIVE';
export type ValueType = 'BOOL' | 'INT64' | 'DOUBLE' | 'DISTRIBUTION';

export type Labels = Readonly<Record<string, string>>;

/** Many values at once; there is one bucket more than there are bounds. */
export interface DistributionValue {
  readonly count: number;
  readonly mean: number;
  readonly sumOfSquaredDeviation: number;
  readonly bounds: readonly number[];
  readonly bucketCounts: readonly number[];
}

/** BOOL is kept as 0 and 1. */
export type Value = number | DistributionValue;

export interface Point {
  /** Equal to the end where the value is one of a moment. */
  readonly startMs: number;
  readonly endMs: number;
  readonly value: Value;
}

/** What makes a series the one that it is. */
export interface SeriesName {
  readonly metricType: string;
  readonly metricLabels: Labels;
  readonly resourceType: string;
  readonly resourceLabels: Labels;
}

export interface Series extends SeriesName {
  readonly kind: MetricKind;
  readonly valueType: ValueType;
  /** Oldest first. */
  readonly points: readonly Point[];
}

/** One point on its way in. */
export interface Incoming extends SeriesName {
  readonly kind: MetricKind;
  readonly valueType: ValueType;
  readonly point: Point;
}

/** The same for the same series, whatever the order of its labels. */
export function keyOf(name: SeriesName): string {
  const { metricType, metricLabels, resourceType, resourceLabels } = name;
  return JSON.stringify([metricType, sorted(metricLabels), resourceType, sorted(resourceLabels)]);
}

function sorted(labels: Labels): [string, string][] {
  return Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** A series in the words of Google's refusals. */
export function describeSeries({
  metricType,
  metricLabels,
  resourceType,
  resourceLabels,
}: SeriesName): string {
  return `${resourceType}${describeLabels(resourceLabels)}: ${metricType}${describeLabels(metricLabels)}`;
}

function describeLabels(labels: Labels): string {
  return `{${sorted(labels)
    .map(([key, value]) => `${key}:${value}`)
    .join(',')}}`;
}
