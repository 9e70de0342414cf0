import { align, type Grid, type Line, samplesOf } from './align.ts';
import { EvaluationError } from './evaluation-error.ts';
import { fieldOf, parseField, parseFilter } from './filter.ts';
import type { Histogram } from './histogram.ts';
import { limits } from './limits.ts';
import {
  type Aggregation,
  alignmentMs,
  type PickTimeSeriesFilter,
  type Range,
  type TimeSeriesFilter,
  type TimeSeriesFilterRatio,
} from './query.ts';
import { reduce } from './reduce.ts';
import type { Labels, MetricKind, Point, Series, SeriesName, ValueType } from './series.ts';

/** A line of a chart: what remained of the labels, and its values, oldest first. */
export interface Result {
  readonly labels: Labels;
  readonly points: readonly ResultPoint[];
}

export interface ResultPoint {
  readonly timeMs: number;
  readonly value: number;
}

/** Series on their way through the aggregations; the fields say what is left to tell them apart. */
interface Stream {
  readonly fields: Labels;
  readonly line: Line;
}

/** What a filter with its aggregations makes of the series; throws an EvaluationError. */
export function evaluateQuery(
  series: Iterable<Series>,
  query: TimeSeriesFilter,
  range: Range,
): readonly Result[] {
  const { filter, aggregation, secondaryAggregation, pickTimeSeriesFilter } = query;
  const streams = evaluateAggregations(
    series,
    filter,
    [aggregation, secondaryAggregation].filter((each) => each !== undefined),
    range,
  );
  return pick(resultsOf(streams, range), pickTimeSeriesFilter);
}

/** One query divided by another, line by line with the same labels. */
export function evaluateRatio(
  series: readonly Series[],
  query: TimeSeriesFilterRatio,
  range: Range,
): readonly Result[] {
  const { numerator, denominator, secondaryAggregation, pickTimeSeriesFilter } = query;
  const above = sideOf(series, numerator, range);
  const below = sideOf(series, denominator, range);
  const quotients = divide(above, below);
  const streams =
    secondaryAggregation === undefined
      ? quotients
      : aggregate(quotients, secondaryAggregation, range);
  return pick(resultsOf(streams, range), pickTimeSeriesFilter);
}

/** The lines that a filter and any number of aggregations, in their order, lead to. */
export function evaluateFilter(
  series: Iterable<Series>,
  filter: string,
  aggregations: readonly Aggregation[],
  range: Range,
): readonly Result[] {
  return resultsOf(evaluateAggregations(series, filter, aggregations, range), range);
}

/** The same of two, divided. */
export function evaluateQuotient(
  series: readonly Series[],
  above: readonly [filter: string, aggregations: readonly Aggregation[]],
  below: readonly [filter: string, aggregations: readonly Aggregation[]],
  range: Range,
): readonly Result[] {
  const [numerator, denominator] = [above, below].map(([filter, aggregations]) =>
    evaluateAggregations(series, filter, aggregations, range),
  );
  return resultsOf(divide(numerator ?? [], denominator ?? []), range);
}

/** What a metric is, as far as a query must know it. */
export interface MetricShape {
  readonly kind: MetricKind;
  readonly valueType: ValueType;
}

/**
 * Throws where Cloud Monitoring would not take these aggregations for such a metric, or they are
 * not known here: what a query would do with data, without any.
 */
export function checkAggregations(
  filter: string,
  aggregations: readonly Aggregation[],
  { kind, valueType }: MetricShape,
): void {
  const { metricType } = parseFilter(filter);
  const name = { metricType, metricLabels: {}, resourceType: '', resourceLabels: {} };
  let streams: readonly Stream[] = [
    { fields: fieldsOf(name), line: { kind, valueType, points: [], aligned: false } },
  ];
  for (const aggregation of aggregations) {
    streams = aggregate(streams, aggregation, { startMs: 0, endMs: 60_000 });
  }
}

function sideOf(
  series: readonly Series[],
  { filter, aggregation }: TimeSeriesFilterRatio['numerator'],
  range: Range,
): readonly Stream[] {
  return evaluateAggregations(
    series,
    filter,
    aggregation === undefined ? [] : [aggregation],
    range,
  );
}

function evaluateAggregations(
  series: Iterable<Series>,
  filter: string,
  aggregations: readonly Aggregation[],
  range: Range,
): readonly Stream[] {
  const { matches } = parseFilter(filter);
  // An aggregation over another needs values from before the range.
  const earlierMs = aggregations.slice(1).reduce((sum, each) => sum + (periodMsOf(each) ?? 0), 0);
  const wide = { ...range, startMs: range.startMs - earlierMs };
  const sinceMs = wide.startMs - (periodMsOf(aggregations[0] ?? {}) ?? 0);
  let streams: readonly Stream[] = [...series].filter(matches).map((each) => ({
    fields: fieldsOf(each),
    line: {
      kind: each.kind,
      valueType: each.valueType,
      points: samplesOf(pointsSince(each.points, sinceMs)),
      aligned: false,
    },
  }));
  for (const [index, aggregation] of aggregations.entries()) {
    // Periods that overlap would be counted twice by what comes after.
    const { stepMs: _, ...stepped } = wide;
    streams = aggregate(streams, aggregation, index < aggregations.length - 1 ? stepped : wide);
  }
  return streams;
}

/** With one from before, which the first is compared with. */
function pointsSince(points: readonly Point[], sinceMs: number): readonly Point[] {
  const first = points.findIndex(({ endMs }) => endMs > sinceMs);
  return first < 0 ? points.slice(-1) : points.slice(Math.max(0, first - 1));
}

/** All fields of a series, in the spelling of parseField. */
function fieldsOf(name: SeriesName): Labels {
  return {
    ...prefixed('resource.label.', name.resourceLabels),
    ...prefixed('metric.label.', name.metricLabels),
    'metric.type': name.metricType,
    'resource.type': name.resourceType,
    project: fieldOf(name, 'project'),
  };
}

function prefixed(prefix: string, labels: Labels): Labels {
  return Object.fromEntries(Object.entries(labels).map(([key, value]) => [prefix + key, value]));
}

function aggregate(
  streams: readonly Stream[],
  aggregation: Aggregation,
  range: Range,
): readonly Stream[] {
  const { perSeriesAligner: aligner = 'ALIGN_NONE', crossSeriesReducer: reducer = 'REDUCE_NONE' } =
    aggregation;
  const fields = (aggregation.groupByFields ?? []).map(parseField);
  const aligned =
    aligner === 'ALIGN_NONE' ? streams : alignAll(streams, aligner, aggregation, range);
  if (reducer === 'REDUCE_NONE') return aligned;
  if (aligned.some(({ line }) => !line.aligned)) {
    throw new EvaluationError(`${reducer} needs an aligner before it.`);
  }
  const groups = Map.groupBy(aligned, (stream) => groupKey(stream.fields, fields));
  return [...groups.values()].map((members) => {
    const first = members[0]!;
    const kept = fields.map((field) => [field, first.fields[field] ?? '']);
    const line = reduce(
      members.map((member) => member.line),
      reducer,
    );
    return { fields: Object.fromEntries(kept) as Labels, line };
  });
}

const groupKey = (all: Labels, fields: readonly string[]) =>
  JSON.stringify(fields.map((field) => all[field] ?? ''));

function alignAll(
  streams: readonly Stream[],
  aligner: string,
  aggregation: Aggregation,
  range: Range,
): readonly Stream[] {
  const periodMs = alignmentMs(aggregation);
  const grid = gridOf(range, periodMs);
  return streams.map(({ fields, line }) => ({ fields, line: align(line, aligner, grid) }));
}

/** Periods counted back from the end of the range. */
function gridOf({ startMs, endMs, stepMs }: Range, periodMs: number): Grid {
  const everyMs = stepMs ?? periodMs;
  if ((endMs - startMs) / everyMs > limits.periodsMax) {
    throw new EvaluationError(`More than ${limits.periodsMax} periods were asked for.`);
  }
  const endsMs: number[] = [];
  for (let at = endMs; at > startMs; at -= everyMs) endsMs.push(at);
  return { endsMs: endsMs.reverse(), periodMs };
}

function periodMsOf(aggregation: Aggregation): number | undefined {
  const { perSeriesAligner = 'ALIGN_NONE' } = aggregation;
  return perSeriesAligner === 'ALIGN_NONE' ? undefined : alignmentMs(aggregation);
}

/** Where both have a value, and there is something to divide by. */
function divide(above: readonly Stream[], below: readonly Stream[]): readonly Stream[] {
  const divisors = new Map(below.map((stream) => [labelKey(stream.fields), stream]));
  return above.flatMap(({ fields, line }) => {
    const divisor = divisors.get(labelKey(fields));
    if (divisor === undefined) return [];
    if (!line.aligned || !divisor.line.aligned) {
      throw new EvaluationError('A ratio needs aligned series.');
    }
    const under = new Map(divisor.line.points.map(({ endMs, value }) => [endMs, numberOf(value)]));
    const points = line.points.flatMap(({ endMs, value }) => {
      const by = under.get(endMs);
      if (by === undefined || by === 0) return [];
      return [{ startMs: endMs, endMs, value: numberOf(value) / by }];
    });
    return [
      { fields, line: { kind: 'GAUGE', valueType: 'DOUBLE', points, aligned: true } as const },
    ];
  });
}

/** Two sides of a ratio belong together by their labels, and are of different metrics. */
function labelKey(fields: Labels): string {
  const labels = Object.entries(fields).filter(([field]) => field !== 'metric.type');
  return JSON.stringify(labels.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function numberOf(value: number | Histogram): number {
  if (typeof value === 'number') return value;
  throw new EvaluationError('A distribution is no number: a percentile or a mean is missing.');
}

function resultsOf(streams: readonly Stream[], { startMs, endMs }: Range): readonly Result[] {
  return streams.map(({ fields, line }) => ({
    labels: plainLabels(fields),
    points: line.points
      .filter((point) => point.endMs > startMs && point.endMs <= endMs)
      .map((point) => ({ timeMs: point.endMs, value: numberOf(point.value) })),
  }));
}

/** Labels by their plain names; those of the metric win over those of the resource. */
function plainLabels(fields: Labels): Labels {
  const labels: Record<string, string> = {};
  for (const prefix of ['resource.label.', 'metric.label.']) {
    for (const [field, value] of Object.entries(fields)) {
      if (field.startsWith(prefix)) labels[field.slice(prefix.length)] = value;
    }
  }
  return labels;
}

const RANKINGS: Readonly<Record<string, (values: readonly number[]) => number>> = {
  METHOD_MEAN: (values) => values.reduce((sum, each) => sum + each, 0) / values.length,
  METHOD_MAX: (values) => Math.max(...values),
  METHOD_MIN: (values) => Math.min(...values),
  METHOD_SUM: (values) => values.reduce((sum, each) => sum + each, 0),
  METHOD_LATEST: (values) => values.at(-1) ?? 0,
};

function pick(
  results: readonly Result[],
  chosen: PickTimeSeriesFilter | undefined,
): readonly Result[] {
  if (chosen === undefined) return results;
  const { rankingMethod = 'METHOD_MEAN', numTimeSeries = 1, direction = 'TOP' } = chosen;
  const rank = Object.hasOwn(RANKINGS, rankingMethod) ? RANKINGS[rankingMethod] : undefined;
  if (rank === undefined)
    throw new EvaluationError(`The ranking ${rankingMethod} is not known here.`);
  const sign = direction === 'BOTTOM' ? 1 : -1;
  return results
    .filter(({ points }) => points.length > 0)
    .map((result) => ({ result, rank: rank(result.points.map(({ value }) => value)) }))
    .sort((a, b) => sign * (a.rank - b.rank))
    .slice(0, numTimeSeries)
    .map(({ result }) => result);
}
