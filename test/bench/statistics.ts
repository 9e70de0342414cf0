/** Median and 99th percentile of some durations, in milliseconds. */
export interface Latency {
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

export function latencyOf(milliseconds: readonly number[]): Latency {
  const sorted = Float64Array.from(milliseconds).sort();
  const at = (share: number): number | null => {
    const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
    return value === undefined ? null : rounded(value);
  };
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}

/** Three digits are what such a measurement is worth. */
export function rounded(value: number): number {
  if (!Number.isFinite(value)) return 0;
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}

export function medianOf(values: readonly number[]): number | null {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  const high = sorted[middle];
  if (high === undefined) return null;
  const low = sorted.length % 2 === 1 ? high : (sorted[middle - 1] ?? high);
  return rounded((low + high) / 2);
}
