import type { protos } from '@google-cloud/monitoring';
import {
  definitionOf,
  METRIC_NAMES,
  METRIC_PREFIX,
  type MetricDefinition,
  type MetricName,
} from './catalogue.ts';
import type { DistributionValue } from './distribution.ts';
import type { SeriesSnapshot } from './registry.ts';

export type TimeSeries = protos.google.monitoring.v3.ITimeSeries;
export type MetricDescriptor = protos.google.api.IMetricDescriptor;
type Point = protos.google.monitoring.v3.IPoint;
type Timestamp = protos.google.protobuf.ITimestamp;

/**
 * Who writes, as the labels of the resource `generic_task`: two processes never share them, since
 * Cloud Monitoring refuses points of one series that come from two hands.
 */
export interface Identity {
  readonly project: string;
  readonly location: string;
  readonly namespace: string;
  readonly job: string;
  readonly task: string;
}

/** Cloud Monitoring takes so many series in one call. */
const SERIES_A_CALL_MAX = 200;

/** The time that a point stands for; counters and distributions add up over all of it. */
interface Interval {
  readonly startMs: number;
  readonly endMs: number;
}

/** One series, and since when it adds up. */
export interface StartedSeries extends SeriesSnapshot {
  readonly startMs: number;
}

/**
 * Series as `createTimeSeries` takes them, in calls of at most 200: counters and distributions
 * CUMULATIVE, each with a start that never changes, gauges at one moment.
 */
export function callsOf(
  series: readonly StartedSeries[],
  identity: Identity,
  endMs: number,
): readonly (readonly TimeSeries[])[] {
  const all = series.map((each) => timeSeriesOf(each, identity, { startMs: each.startMs, endMs }));
  const calls: TimeSeries[][] = [];
  for (let at = 0; at < all.length; at += SERIES_A_CALL_MAX) {
    calls.push(all.slice(at, at + SERIES_A_CALL_MAX));
  }
  return calls;
}

function timeSeriesOf(
  { name, labels, value }: SeriesSnapshot,
  identity: Identity,
  { startMs, endMs }: Interval,
): TimeSeries {
  const { kind } = definitionOf(name);
  const end = timestampOf(endMs);
  const start = kind === 'gauge' ? end : timestampOf(startMs);
  const point: Point = {
    interval: { startTime: start, endTime: end },
    value: typedValueOf(name, value),
  };
  return {
    metric: { type: METRIC_PREFIX + name, labels: { ...labels } },
    resource: {
      type: 'generic_task',
      labels: {
        project_id: identity.project,
        location: identity.location,
        namespace: identity.namespace,
        job: identity.job,
        task_id: identity.task,
      },
    },
    metricKind: metricKindOf(kind),
    valueType: valueTypeOf(kind),
    points: [point],
  };
}

function typedValueOf(
  name: MetricName,
  value: number | DistributionValue,
): NonNullable<Point['value']> {
  const definition = definitionOf(name);
  if (typeof value === 'number') {
    return definition.kind === 'gauge' ? { doubleValue: value } : { int64Value: value };
  }
  const { count, mean, sumOfSquaredDeviation, bucketCounts } = value;
  const bounds = definition.kind === 'distribution' ? [...definition.bounds] : [];
  return {
    distributionValue: {
      count,
      mean,
      sumOfSquaredDeviation,
      bucketOptions: { explicitBuckets: { bounds } },
      bucketCounts: [...bucketCounts],
    },
  };
}

/** What tells Cloud Monitoring of unit and meaning; a metric made by its first point has neither. */
export function metricDescriptors(): readonly MetricDescriptor[] {
  return METRIC_NAMES.map((name) => {
    const { kind, unit, description, labels } = definitionOf(name);
    return {
      type: METRIC_PREFIX + name,
      displayName: name.replaceAll('_', ' '),
      metricKind: metricKindOf(kind),
      valueType: valueTypeOf(kind),
      unit,
      description,
      labels: ['component', ...Object.keys(labels)].map((key) => ({ key, valueType: 'STRING' })),
    };
  });
}

const metricKindOf = (kind: MetricDefinition['kind']) =>
  kind === 'gauge' ? 'GAUGE' : 'CUMULATIVE';

function valueTypeOf(kind: MetricDefinition['kind']) {
  if (kind === 'distribution') return 'DISTRIBUTION';
  return kind === 'gauge' ? 'DOUBLE' : 'INT64';
}

function timestampOf(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1_000);
  return { seconds, nanos: Math.round((ms - seconds * 1_000) * 1_000_000) };
}
