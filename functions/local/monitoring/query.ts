import { EvaluationError } from './evaluation-error.ts';
import { limits } from './limits.ts';

/** Queries as Cloud Monitoring's dashboards and alerts have them in JSON. */

export interface Aggregation {
  /** A number of seconds such as `60s`. */
  readonly alignmentPeriod?: string;
  readonly perSeriesAligner?: string;
  readonly crossSeriesReducer?: string;
  readonly groupByFields?: readonly string[];
}

export interface PickTimeSeriesFilter {
  readonly rankingMethod?: string;
  readonly numTimeSeries?: number;
  readonly direction?: string;
}

export interface TimeSeriesFilter {
  readonly filter: string;
  readonly aggregation?: Aggregation;
  readonly secondaryAggregation?: Aggregation;
  readonly pickTimeSeriesFilter?: PickTimeSeriesFilter;
}

export interface TimeSeriesFilterRatio {
  readonly numerator: { readonly filter: string; readonly aggregation?: Aggregation };
  readonly denominator: { readonly filter: string; readonly aggregation?: Aggregation };
  readonly secondaryAggregation?: Aggregation;
  readonly pickTimeSeriesFilter?: PickTimeSeriesFilter;
}

export interface Range {
  readonly startMs: number;
  readonly endMs: number;
  /**
   * How far apart the values lie, where that is less than the alignment period: each still stands
   * for a whole period, and neighbours overlap.
   */
  readonly stepMs?: number;
}

/** `60s` in milliseconds; undefined where nothing is said. */
export function durationMs(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const [, seconds] = /^(\d+(?:\.\d+)?)s$/.exec(text) ?? [];
  if (seconds === undefined) throw new EvaluationError(`No duration: ${text}`);
  return Number(seconds) * 1_000;
}

/** The alignment period, which Cloud Monitoring wants wherever something is aligned. */
export function alignmentMs(aggregation: Aggregation): number {
  const ms = durationMs(aggregation.alignmentPeriod);
  if (ms === undefined || ms < limits.alignmentPeriodMsMin) {
    throw new EvaluationError(
      `The alignment period must be at least 60 s: ${aggregation.alignmentPeriod ?? 'none'}`,
    );
  }
  return ms;
}
