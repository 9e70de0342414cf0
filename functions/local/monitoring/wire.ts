/**
 * The messages of google.monitoring.v3 as proto-loader hands them over: camel case, 64-bit numbers
 * as numbers, enums by name, absent fields undefined. Only the fields that this server reads.
 */

export interface WireTimestamp {
  readonly seconds?: number;
  readonly nanos?: number;
}

export interface WireInterval {
  readonly startTime?: WireTimestamp;
  readonly endTime?: WireTimestamp;
}

export interface WireDistribution {
  readonly count?: number;
  readonly mean?: number;
  readonly sumOfSquaredDeviation?: number;
  readonly range?: { readonly min?: number; readonly max?: number };
  readonly bucketOptions?: {
    readonly explicitBuckets?: { readonly bounds?: readonly number[] };
    readonly exponentialBuckets?: {
      readonly numFiniteBuckets?: number;
      readonly growthFactor?: number;
      readonly scale?: number;
    };
    readonly linearBuckets?: {
      readonly numFiniteBuckets?: number;
      readonly width?: number;
      readonly offset?: number;
    };
  };
  readonly bucketCounts?: readonly number[];
}

export interface WireTypedValue {
  readonly boolValue?: boolean;
  readonly int64Value?: number;
  readonly doubleValue?: number;
  readonly stringValue?: string;
  readonly distributionValue?: WireDistribution;
}

export interface WirePoint {
  readonly interval?: WireInterval;
  readonly value?: WireTypedValue;
}

export interface WireTimeSeries {
  readonly metric?: { readonly type?: string; readonly labels?: Readonly<Record<string, string>> };
  readonly resource?: {
    readonly type?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly metricKind?: string;
  readonly valueType?: string;
  readonly points?: readonly WirePoint[];
  readonly unit?: string;
}

export interface WireMetricDescriptor {
  readonly name?: string;
  readonly type?: string;
  readonly labels?: readonly { readonly key?: string; readonly description?: string }[];
  readonly metricKind?: string;
  readonly valueType?: string;
  readonly unit?: string;
  readonly description?: string;
  readonly displayName?: string;
}

export function msOf({ seconds = 0, nanos = 0 }: WireTimestamp): number {
  return seconds * 1_000 + nanos / 1_000_000;
}

export function timestampOf(ms: number): Required<WireTimestamp> {
  const seconds = Math.floor(ms / 1_000);
  return { seconds, nanos: Math.round((ms - seconds * 1_000) * 1_000_000) };
}
