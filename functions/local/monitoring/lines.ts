import { settledEnd } from './condition.ts';
import type { DataSet, TimeSeriesQuery } from './dashboard.ts';
import { evaluateQuery, evaluateRatio, type Result } from './evaluate.ts';
import { EvaluationError } from './evaluation-error.ts';
import { parseFilter } from './filter.ts';
import { isCustomType } from './incoming.ts';
import { metricsOfPromQl } from './promql.ts';
import { type Aggregation, alignmentMs, type Range } from './query.ts';
import type { Labels, Series } from './series.ts';

/** What a query gives for a stretch of time that ends now. */
export interface Lines {
  readonly results: readonly Result[];
  /** Metrics of Google's own that it would need, which live in the cloud only. */
  readonly elsewhere: readonly string[];
}

/** More values would be finer than the page. */
const VALUES_MAX = 240;
/** Where periods are longer than this share of the range, they overlap for a smoother line. */
const VALUES_MIN = 90;
const STEP_MS_MIN = 10_000;

export interface Stretch {
  readonly nowMs: number;
  readonly rangeMs: number;
  /** Whether values may stand for periods that overlap. */
  readonly smooth: boolean;
}

/** The lines of a query, coarser for a long stretch as in Google's console. */
export function linesOf(
  series: readonly Series[],
  query: TimeSeriesQuery,
  { nowMs, rangeMs, smooth }: Stretch,
): Lines {
  if (query.prometheusQuery !== undefined) {
    return { results: [], elsewhere: metricsOfPromQl(query.prometheusQuery) };
  }
  const types = filtersOf(query).map((filter) => parseFilter(filter).metricType);
  if (types.some((type) => !isCustomType(type))) return { results: [], elsewhere: types };
  const coarse = coarsened(query, rangeMs);
  const settledMs = Math.max(...filtersOf(query).map((each) => settledEnd(series, each, nowMs)));
  const startMs = nowMs - rangeMs;
  const periodMs = periodOf(coarse);
  if (periodMs === undefined) {
    const range = { startMs, endMs: settledMs };
    return { results: evaluate(series, coarse, range), elsewhere: [] };
  }
  const stepMs = stepOf(periodMs, rangeMs, smooth);
  // The same moments at each look, or lines would tremble.
  const range = { startMs, endMs: Math.floor(settledMs / stepMs) * stepMs, stepMs };
  return { results: evaluate(series, coarse, range), elsewhere: [] };
}

function evaluate(series: readonly Series[], query: TimeSeriesQuery, range: Range) {
  if (query.timeSeriesFilter !== undefined) {
    return evaluateQuery(series, query.timeSeriesFilter, range);
  }
  if (query.timeSeriesFilterRatio !== undefined) {
    return evaluateRatio(series, query.timeSeriesFilterRatio, range);
  }
  throw new EvaluationError(`The query ${Object.keys(query)[0] ?? '(none)'} is not known here.`);
}

function filtersOf({ timeSeriesFilter, timeSeriesFilterRatio: ratio }: TimeSeriesQuery): string[] {
  return [timeSeriesFilter, ratio?.numerator, ratio?.denominator].flatMap((each) =>
    each === undefined ? [] : [each.filter],
  );
}

/** How long a value of the query stands for; undefined for points as they were written. */
function periodOf({
  timeSeriesFilter: filter,
  timeSeriesFilterRatio: ratio,
}: TimeSeriesQuery): number | undefined {
  const aggregation =
    filter?.secondaryAggregation ??
    filter?.aggregation ??
    ratio?.secondaryAggregation ??
    ratio?.numerator.aggregation;
  return isAligning(aggregation) ? alignmentMs(aggregation) : undefined;
}

const isAligning = (aggregation: Aggregation | undefined): aggregation is Aggregation =>
  (aggregation?.perSeriesAligner ?? 'ALIGN_NONE') !== 'ALIGN_NONE';

function stepOf(periodMs: number, rangeMs: number, smooth: boolean): number {
  if (!smooth) return periodMs;
  const fine = Math.ceil(rangeMs / VALUES_MIN / STEP_MS_MIN) * STEP_MS_MIN;
  return Math.min(periodMs, fine);
}

/** Longer periods, where those of the file would give too many values. */
function coarsened(query: TimeSeriesQuery, rangeMs: number): TimeSeriesQuery {
  const leastMs = rangeMs / VALUES_MAX;
  const coarse = (aggregation: Aggregation | undefined) => {
    if (!isAligning(aggregation)) return aggregation;
    const periodMs = alignmentMs(aggregation);
    const factor = Math.max(1, Math.ceil(leastMs / periodMs));
    return { ...aggregation, alignmentPeriod: `${(periodMs * factor) / 1_000}s` };
  };
  const all = <T extends object>(given: T): T =>
    Object.fromEntries(
      Object.entries(given).map(([key, value]) => {
        if (key === 'aggregation' || key === 'secondaryAggregation') return [key, coarse(value)];
        const isSide = key === 'numerator' || key === 'denominator';
        return [key, isSide ? all(value) : value];
      }),
    ) as T;
  const { timeSeriesFilter, timeSeriesFilterRatio } = query;
  return {
    ...query,
    ...(timeSeriesFilter === undefined ? {} : { timeSeriesFilter: all(timeSeriesFilter) }),
    ...(timeSeriesFilterRatio === undefined
      ? {}
      : { timeSeriesFilterRatio: all(timeSeriesFilterRatio) }),
  };
}

/** What a line is called: by its template, else by its labels, else by its metric. */
export function nameOf(labels: Labels, { legendTemplate, timeSeriesQuery }: DataSet): string {
  if (legendTemplate !== undefined && legendTemplate !== '') {
    return legendTemplate.replace(
      /\$\{(?:(?:metric|resource|metadata)\.)?[a-z_]*labels?\.([A-Za-z0-9_]+)\}/g,
      (_, label: string) => (Object.hasOwn(labels, label) ? (labels[label] ?? '') : ''),
    );
  }
  const values = Object.values(labels).filter((value) => value !== '');
  if (values.length > 0) return values.join(' · ');
  const [filter] = filtersOf(timeSeriesQuery ?? {});
  return filter === undefined ? '' : (parseFilter(filter).metricType.split('/').at(-1) ?? '');
}
