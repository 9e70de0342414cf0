import { evaluateFilter, evaluateQuotient, type Result } from './evaluate.ts';
import { EvaluationError } from './evaluation-error.ts';
import { parseFilter } from './filter.ts';
import { isCustomType } from './incoming.ts';
import { limits } from './limits.ts';
import { metricsOfPromQl } from './promql.ts';
import { type Aggregation, durationMs, type Range } from './query.ts';
import type { Labels, Series } from './series.ts';

/** Conditions as Cloud Monitoring's AlertPolicy has them in JSON. */

export interface Trigger {
  readonly count?: number;
  readonly percent?: number;
}

export interface ThresholdCondition {
  readonly filter: string;
  readonly aggregations?: readonly Aggregation[];
  readonly denominatorFilter?: string;
  readonly denominatorAggregations?: readonly Aggregation[];
  readonly forecastOptions?: object;
  readonly comparison?: string;
  readonly thresholdValue?: number;
  readonly duration?: string;
  readonly trigger?: Trigger;
  readonly evaluationMissingData?: string;
}

export interface AbsenceCondition {
  readonly filter: string;
  readonly aggregations?: readonly Aggregation[];
  readonly duration?: string;
  readonly trigger?: Trigger;
}

export interface Condition {
  readonly displayName?: string;
  readonly conditionThreshold?: ThresholdCondition;
  readonly conditionAbsent?: AbsenceCondition;
  readonly conditionPrometheusQueryLanguage?: { readonly query: string };
  readonly conditionMatchedLog?: { readonly filter: string };
}

export type ConditionState = 'firing' | 'quiet' | 'no data' | 'not evaluated here';

/** What a condition came to, and from what. */
export interface ConditionResult {
  readonly state: ConditionState;
  readonly observed: readonly Observation[];
  /** The metrics that it names, where it is not evaluated here. */
  readonly metrics?: readonly string[];
}

/** One line that a condition looks at. */
export interface Observation {
  readonly labels: Labels;
  /** The newest value; absent where there is none. */
  readonly value?: number;
  readonly violates: boolean;
}

/**
 * Whether a condition would fire now. Threshold and absence of our own metrics are evaluated; of
 * PromQL, SLOs, logs and Google's own metrics it is only told what they name. What is not known at
 * all throws an EvaluationError.
 */
export function evaluateCondition(
  series: Iterable<Series>,
  condition: Condition,
  nowMs: number,
): ConditionResult {
  const all = [...series];
  const { conditionThreshold: threshold, conditionAbsent: absent } = condition;
  const elsewhere = metricsElsewhere(condition);
  if (elsewhere !== undefined) {
    return { state: 'not evaluated here', observed: [], metrics: elsewhere };
  }
  if (threshold !== undefined) return evaluateThreshold(all, threshold, nowMs);
  if (absent !== undefined) return evaluateAbsence(all, absent, nowMs);
  const kind = Object.keys(condition).find((key) => key.startsWith('condition')) ?? 'none';
  throw new EvaluationError(`The condition ${kind} is not known here.`);
}

/** What the condition is about, if that lives in the cloud only. */
function metricsElsewhere(condition: Condition): readonly string[] | undefined {
  const { conditionThreshold: threshold, conditionAbsent: absent } = condition;
  const query = condition.conditionPrometheusQueryLanguage?.query;
  if (query !== undefined) return metricsOfPromQl(query);
  if (condition.conditionMatchedLog !== undefined) return [];
  const filters = [threshold?.filter, threshold?.denominatorFilter, absent?.filter].filter(
    (filter): filter is string => filter !== undefined && filter !== '',
  );
  // An SLO's burn rate, health or compliance stands in the filter as a function.
  if (filters.some((filter) => /^\s*select_slo_/.test(filter))) return filters;
  const types = filters.map((filter) => parseFilter(filter).metricType);
  return types.some((type) => !isCustomType(type)) ? types : undefined;
}

const COMPARISONS: Readonly<Record<string, (value: number, threshold: number) => boolean>> = {
  COMPARISON_GT: (value, threshold) => value > threshold,
  COMPARISON_LT: (value, threshold) => value < threshold,
};

function evaluateThreshold(
  series: readonly Series[],
  condition: ThresholdCondition,
  nowMs: number,
): ConditionResult {
  const { comparison = '', thresholdValue = 0, evaluationMissingData: missing } = condition;
  if (condition.forecastOptions !== undefined) {
    throw new EvaluationError('Forecasts are not known here.');
  }
  const compare = Object.hasOwn(COMPARISONS, comparison) ? COMPARISONS[comparison] : undefined;
  if (compare === undefined) {
    throw new EvaluationError(`The comparison ${comparison || '(none)'} is not known here.`);
  }
  const periodMs = periodOf(condition.aggregations);
  const lastingMs = needMinutes(condition.duration, 0);
  const endMs = settledEnd(series, condition.filter, nowMs);
  // A condition without a duration is true at its newest value.
  const count = periodMs === undefined ? 1 : Math.max(1, Math.ceil(lastingMs / periodMs));
  const lengthMs = periodMs === undefined ? Math.max(lastingMs, 60_000) : count * periodMs;
  const lines = linesOf(series, condition, { startMs: endMs - lengthMs, endMs });
  const active = missing === 'EVALUATION_MISSING_DATA_ACTIVE';
  const inactive = missing === 'EVALUATION_MISSING_DATA_INACTIVE';
  const judged = lines
    .filter(({ points }) => points.length > 0 || active || inactive)
    .map(({ labels, points }) => {
      const worst = points.every(({ value }) => compare(value, thresholdValue));
      const whole = active || (points.length > 0 && points.length >= count);
      return observation(labels, points.at(-1)?.value, worst && whole);
    });
  return conclude(judged, condition.trigger);
}

function linesOf(
  series: readonly Series[],
  condition: ThresholdCondition,
  range: Range,
): readonly Result[] {
  const { filter, aggregations = [], denominatorFilter, denominatorAggregations = [] } = condition;
  if (denominatorFilter === undefined || denominatorFilter === '') {
    return evaluateFilter(series, filter, aggregations, range);
  }
  const below = [denominatorFilter, denominatorAggregations] as const;
  return evaluateQuotient(series, [filter, aggregations], below, range);
}

function evaluateAbsence(
  series: readonly Series[],
  condition: AbsenceCondition,
  nowMs: number,
): ConditionResult {
  const lastingMs = needMinutes(condition.duration, limits.absenceMsMin);
  const range = { startMs: nowMs - lastingMs, endMs: nowMs };
  const lines = evaluateFilter(series, condition.filter, condition.aggregations ?? [], range);
  const judged = lines.map(({ labels, points }) =>
    observation(labels, points.at(-1)?.value, points.length === 0),
  );
  return conclude(judged, condition.trigger);
}

function observation(labels: Labels, value: number | undefined, violates: boolean): Observation {
  return { labels, violates, ...(value === undefined ? {} : { value }) };
}

/** One line that violates is enough, unless the trigger says otherwise. */
function conclude(observed: readonly Observation[], trigger: Trigger = {}): ConditionResult {
  if (observed.length === 0) return { state: 'no data', observed };
  const violating = observed.filter(({ violates }) => violates).length;
  const { count = 1, percent } = trigger;
  const fires =
    percent === undefined
      ? violating >= Math.max(1, count)
      : violating > 0 && (violating / observed.length) * 100 >= percent;
  return { state: fires ? 'firing' : 'quiet', observed };
}

/** How often the lines have values: the period of the last aggregation that aligns. */
function periodOf(aggregations: readonly Aggregation[] = []): number | undefined {
  const last = aggregations.findLast(
    ({ perSeriesAligner = 'ALIGN_NONE' }) => perSeriesAligner !== 'ALIGN_NONE',
  );
  return durationMs(last?.alignmentPeriod);
}

function needMinutes(text: string | undefined, leastMs: number): number {
  const ms = durationMs(text) ?? 0;
  if (ms % 60_000 !== 0 || ms < leastMs) {
    throw new EvaluationError(
      `A duration is a multiple of 60 s and at least ${leastMs / 1_000} s: ${text ?? 'none'}`,
    );
  }
  return ms;
}

/** Longer than any writer waits between two writes; what is older has stopped. */
const STALE_MS = 120_000;

/**
 * Where evaluation ends: at the newest point, so that a period that has just begun does not look
 * like a drop; now, when nothing has come for long.
 */
export function settledEnd(series: readonly Series[], filter: string, nowMs: number): number {
  const { matches } = parseFilter(filter);
  let newestMs = Number.NEGATIVE_INFINITY;
  for (const each of series) {
    if (!matches(each)) continue;
    newestMs = Math.max(newestMs, each.points.at(-1)?.endMs ?? newestMs);
  }
  return newestMs < nowMs - STALE_MS ? nowMs : Math.min(newestMs, nowMs);
}
