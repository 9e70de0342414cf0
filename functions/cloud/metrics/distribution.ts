/** What Cloud Monitoring keeps of many values: count, mean, squared deviation, and buckets. */
export interface DistributionValue {
  readonly count: number;
  readonly mean: number;
  readonly sumOfSquaredDeviation: number;
  /** One more than there are bounds: the first is below the first bound, the last above the last. */
  readonly bucketCounts: readonly number[];
}

/** Gathers values; adding one costs a few comparisons and no memory. */
export class Distribution {
  readonly #bounds: readonly number[];
  #counts: number[];
  #count = 0;
  #mean = 0;
  #deviation = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Array(bounds.length + 1).fill(0);
  }

  /** A value that is no finite number is not taken. */
  record(value: number): void {
    if (!Number.isFinite(value)) return;
    this.#count += 1;
    // Welford's way: exact also where the values are large and close to each other.
    const before = value - this.#mean;
    this.#mean += before / this.#count;
    this.#deviation += before * (value - this.#mean);
    const bucket = this.#bucketOf(value);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
  }

  /** A copy that later values do not change. */
  value(): DistributionValue {
    return {
      count: this.#count,
      mean: this.#mean,
      sumOfSquaredDeviation: Math.max(0, this.#deviation),
      bucketCounts: [...this.#counts],
    };
  }

  reset(): void {
    this.#counts.fill(0);
    this.#count = 0;
    this.#mean = 0;
    this.#deviation = 0;
  }

  /** A bound is the first value of the bucket above it, as in Google's distribution.proto. */
  #bucketOf(value: number): number {
    let low = 0;
    let high = this.#bounds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (value < this.#bounds[middle]!) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
