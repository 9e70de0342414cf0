import { limits } from './limits.ts';
import { badField, type Refusal } from './refusal.ts';
import type { DistributionValue } from './series.ts';
import type { WireDistribution } from './wire.ts';

const FIELD = 'points[0].distributionValue';

/** A distribution by the rules of google/api/distribution.proto. */
export function readDistribution(wire: WireDistribution): DistributionValue | Refusal {
  const { count = 0, mean = 0, sumOfSquaredDeviation = 0, range, bucketCounts = [] } = wire;
  const refuse = (part: string, why: string) => badField(`${FIELD}.${part}`, why);
  if (!Number.isInteger(count) || count < 0) return refuse('count', 'it must be 0 or more.');
  if (!Number.isFinite(mean)) return refuse('mean', 'it must be a finite number.');
  if (!Number.isFinite(sumOfSquaredDeviation) || sumOfSquaredDeviation < 0) {
    return refuse('sumOfSquaredDeviation', 'it must be a finite number, 0 or more.');
  }
  if (count === 0) {
    if (mean !== 0) return refuse('mean', 'it must be 0 where the count is 0.');
    if (sumOfSquaredDeviation !== 0) {
      return refuse('sumOfSquaredDeviation', 'it must be 0 where the count is 0.');
    }
    if (range !== undefined) return refuse('range', 'it must be absent where the count is 0.');
  }
  const bounds = readBounds(wire.bucketOptions);
  if (bounds === undefined) {
    return refuse('bucketOptions', 'buckets must be given, with bounds that grow.');
  }
  if (bucketCounts.length > bounds.length + 1) {
    return refuse(
      'bucketCounts',
      `${bounds.length} bounds make ${bounds.length + 1} buckets, and there are ` +
        `${bucketCounts.length} counts.`,
    );
  }
  if (bucketCounts.some((each) => !Number.isInteger(each) || each < 0)) {
    return refuse('bucketCounts', 'each must be 0 or more.');
  }
  const sum = bucketCounts.reduce((total, each) => total + each, 0);
  if (sum !== count) {
    return refuse('bucketCounts', `they sum to ${sum}, and the count is ${count}.`);
  }
  // Trailing zeros may be left out.
  const missing = new Array<number>(bounds.length + 1 - bucketCounts.length).fill(0);
  return {
    count,
    mean,
    sumOfSquaredDeviation,
    bounds,
    bucketCounts: [...bucketCounts, ...missing],
  };
}

/** The bounds of all three ways to say them; undefined where they make no sense. */
function readBounds(options: WireDistribution['bucketOptions'] = {}): number[] | undefined {
  const { explicitBuckets, exponentialBuckets, linearBuckets } = options;
  let bounds: number[] = [];
  if (explicitBuckets !== undefined) bounds = [...(explicitBuckets.bounds ?? [])];
  if (exponentialBuckets !== undefined) {
    const { numFiniteBuckets = 0, growthFactor = 0, scale = 0 } = exponentialBuckets;
    if (growthFactor <= 1 || scale <= 0) return undefined;
    bounds = upTo(numFiniteBuckets, (index) => scale * growthFactor ** index);
  }
  if (linearBuckets !== undefined) {
    const { numFiniteBuckets = 0, width = 0, offset = 0 } = linearBuckets;
    bounds = upTo(numFiniteBuckets, (index) => offset + width * index);
  }
  const grow = bounds.every(
    (bound, index) => Number.isFinite(bound) && (index === 0 || bound > bounds[index - 1]!),
  );
  return grow && bounds.length > 0 && bounds.length < limits.bucketsMax ? bounds : undefined;
}

function upTo(finiteBuckets: number, bound: (index: number) => number): number[] {
  if (finiteBuckets < 1 || finiteBuckets >= limits.bucketsMax) return [];
  return Array.from({ length: finiteBuckets + 1 }, (_, index) => bound(index));
}
