import { EvaluationError } from './evaluation-error.ts';
import type { DistributionValue } from './series.ts';

/** Many values as they are added and taken apart: what a distribution is without its deviation. */
export interface Histogram {
  readonly count: number;
  readonly sum: number;
  readonly bounds: readonly number[];
  readonly buckets: readonly number[];
}

export function histogramOf(value: DistributionValue): Histogram {
  const { count, mean, bounds, bucketCounts } = value;
  return { count, sum: count * mean, bounds, buckets: bucketCounts };
}

/** One with the other, `share` times. */
export function addHistogram(
  base: Histogram | undefined,
  other: Histogram,
  share: number,
): Histogram {
  if (base === undefined) {
    return {
      count: other.count * share,
      sum: other.sum * share,
      bounds: other.bounds,
      buckets: other.buckets.map((each) => each * share),
    };
  }
  needSameBounds(base, other);
  return {
    count: base.count + other.count * share,
    sum: base.sum + other.sum * share,
    bounds: base.bounds,
    buckets: base.buckets.map((each, index) => each + (other.buckets[index] ?? 0) * share),
  };
}

function needSameBounds(one: Histogram, other: Histogram): void {
  if (one.bounds === other.bounds) return;
  const same =
    one.bounds.length === other.bounds.length &&
    one.bounds.every((bound, index) => bound === other.bounds[index]);
  if (!same) throw new EvaluationError('Distributions with different buckets cannot be added.');
}

/**
 * The value below which that share of all lies, taken as evenly spread inside each bucket. The
 * first bucket begins at 0 (or at its bound, if that is negative), the last ends where it begins,
 * since nothing says how far it goes. Undefined where there are no values.
 */
export function percentileOf(histogram: Histogram, percent: number): number | undefined {
  const { bounds, buckets } = histogram;
  const total = buckets.reduce((sum, each) => sum + each, 0);
  if (total <= 0) return undefined;
  const wanted = (percent / 100) * total;
  let below = 0;
  for (const [index, inside] of buckets.entries()) {
    if (inside > 0 && below + inside >= wanted) {
      const lower = index === 0 ? Math.min(0, bounds[0] ?? 0) : bounds[index - 1]!;
      const upper = bounds[index] ?? lower;
      return lower + ((wanted - below) / inside) * (upper - lower);
    }
    below += inside;
  }
  return bounds.at(-1);
}
