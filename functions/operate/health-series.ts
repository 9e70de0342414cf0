import { METRIC_PREFIX, type MetricName } from '../cloud/metrics/catalogue.ts';

/** What Cloud Monitoring lists, as far as it is read here. */
export interface ListedSeries {
  readonly metric?: { readonly labels?: Readonly<Record<string, string>> | null } | null;
  readonly points?: readonly ListedPoint[] | null;
}
export interface ListedPoint {
  readonly interval?: {
    readonly startTime?: { readonly seconds?: unknown; readonly nanos?: number | null } | null;
    readonly endTime?: { readonly seconds?: unknown; readonly nanos?: number | null } | null;
  } | null;
  readonly value?: {
    readonly int64Value?: unknown;
    readonly distributionValue?: {
      readonly bucketCounts?: readonly unknown[] | null;
      readonly bucketOptions?: {
        readonly explicitBuckets?: { readonly bounds?: readonly number[] | null } | null;
      } | null;
    } | null;
  } | null;
}

/** The filter for what the instances of one revision wrote; their names begin with it. */
export function filterOf(metric: MetricName, namespace: string, revision: string): string {
  return [
    `metric.type = "${METRIC_PREFIX}${metric}"`,
    'resource.type = "generic_task"',
    `resource.labels.namespace = "${namespace}"`,
    `resource.labels.task_id = starts_with("${revision}-")`,
  ].join(' AND ');
}

/** By how much a counter grew since a moment. */
export function grown(series: ListedSeries, sinceMs: number): number {
  return growth(series, sinceMs, ({ value }) => [Number(value?.int64Value ?? 0)])[0] ?? 0;
}

/** The buckets of several distributions together, as they grew since a moment. */
export interface Grown {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
}

/** What several distributions with the same bounds took in since a moment. */
export function grownTogether(series: readonly ListedSeries[], sinceMs: number): Grown {
  const counts: number[] = [];
  let bounds: readonly number[] = [];
  for (const one of series) {
    const found = growth(one, sinceMs, ({ value }) =>
      (value?.distributionValue?.bucketCounts ?? []).map(Number),
    );
    for (const [index, count] of found.entries()) counts[index] = (counts[index] ?? 0) + count;
    const options = one.points?.[0]?.value?.distributionValue?.bucketOptions;
    bounds = options?.explicitBuckets?.bounds ?? bounds;
  }
  return { bounds, counts };
}

/** The upper bound of the bucket in which a share of all values lies; undefined without values. */
export function percentile({ bounds, counts }: Grown, share: number): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  let below = 0;
  for (const [index, count] of counts.entries()) {
    below += count;
    if (below >= total * share) return bounds[index] ?? Number.POSITIVE_INFINITY;
  }
  return Number.POSITIVE_INFINITY;
}

/** Cumulative points of one series, newest first: each start counts from nothing. */
function growth(
  { points }: ListedSeries,
  sinceMs: number,
  valuesOf: (point: ListedPoint) => readonly number[],
): number[] {
  const byStart = new Map<number, ListedPoint[]>();
  for (const point of points ?? []) {
    const startMs = msOf(point.interval?.startTime);
    byStart.set(startMs, [...(byStart.get(startMs) ?? []), point]);
  }
  const sum: number[] = [];
  for (const [newest, ...older] of byStart.values()) {
    if (newest === undefined || msOf(newest.interval?.endTime) <= sinceMs) continue;
    const before = older.find((point) => msOf(point.interval?.endTime) <= sinceMs);
    const base = before === undefined ? [] : valuesOf(before);
    for (const [index, value] of valuesOf(newest).entries()) {
      sum[index] = (sum[index] ?? 0) + value - (base[index] ?? 0);
    }
  }
  return sum;
}

function msOf(
  time: { readonly seconds?: unknown; readonly nanos?: number | null } | null | undefined,
): number {
  return Number(time?.seconds ?? 0) * 1_000 + (time?.nanos ?? 0) / 1_000_000;
}
