import type { WireTimeSeries } from '../../../functions/local/monitoring/wire.ts';
import { timestampOf } from '../../../functions/local/monitoring/wire.ts';

/** The project of every series that is made here. */
export const PROJECT = 'distrise-test';

export interface WireOptions {
  readonly type?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly task?: string;
  readonly job?: string;
}

type Kind = 'GAUGE' | 'CUMULATIVE';

/** A name under our prefix. */
export const metric = (name: string) => `custom.googleapis.com/distrise/${name}`;

function wireSeries(
  kind: Kind,
  valueType: string,
  point: NonNullable<WireTimeSeries['points']>[number],
  { type = metric('sample'), labels = {}, task = 'task-1', job = 'relay' }: WireOptions,
): WireTimeSeries {
  return {
    metric: { type, labels: { component: job, ...labels } },
    resource: {
      type: 'generic_task',
      labels: {
        project_id: PROJECT,
        location: 'global',
        namespace: 'distrise',
        job,
        task_id: task,
      },
    },
    metricKind: kind,
    valueType,
    points: [point],
  };
}

/** A gauge at a moment. */
export function gauge(value: number, endMs: number, options: WireOptions = {}): WireTimeSeries {
  const interval = { startTime: timestampOf(endMs), endTime: timestampOf(endMs) };
  return wireSeries('GAUGE', 'DOUBLE', { interval, value: { doubleValue: value } }, options);
}

/** What a counter has counted since its start. */
export function counter(
  value: number,
  [startMs, endMs]: readonly [number, number],
  options: WireOptions = {},
): WireTimeSeries {
  const interval = { startTime: timestampOf(startMs), endTime: timestampOf(endMs) };
  return wireSeries('CUMULATIVE', 'INT64', { interval, value: { int64Value: value } }, options);
}

export interface Buckets {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly mean?: number;
}

/** What a distribution has gathered since its start. */
export function distribution(
  { bounds, counts, mean = 0 }: Buckets,
  [startMs, endMs]: readonly [number, number],
  options: WireOptions = {},
): WireTimeSeries {
  const interval = { startTime: timestampOf(startMs), endTime: timestampOf(endMs) };
  const count = counts.reduce((sum, each) => sum + each, 0);
  const distributionValue = {
    count,
    mean,
    sumOfSquaredDeviation: 0,
    bucketOptions: { explicitBuckets: { bounds } },
    bucketCounts: counts,
  };
  return wireSeries(
    'CUMULATIVE',
    'DISTRIBUTION',
    { interval, value: { distributionValue } },
    options,
  );
}
