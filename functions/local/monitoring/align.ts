import { EvaluationError } from './evaluation-error.ts';
import { addHistogram, type Histogram, histogramOf, percentileOf } from './histogram.ts';
import type { MetricKind, Point, Value, ValueType } from './series.ts';

/** A series as it goes through aggregations: as written at first, then one value a period. */
export interface Line {
  readonly kind: MetricKind;
  readonly valueType: ValueType;
  /** Oldest first. */
  readonly points: readonly Sample[];
  readonly aligned: boolean;
}

export interface Sample {
  /** Equal to the end for what is true of a moment. */
  readonly startMs: number;
  readonly endMs: number;
  readonly value: number | Histogram;
}

/** The ends of the periods to align to, oldest first, and how long each is. */
export interface Grid {
  readonly endsMs: readonly number[];
  readonly periodMs: number;
}

type Combine = (values: readonly (number | Histogram)[]) => number | Histogram | undefined;

interface Aligner {
  /** The kinds and value types that Cloud Monitoring lets it be applied to. */
  readonly kinds: readonly MetricKind[];
  readonly types: readonly ValueType[];
  /** What it makes of the values of a period; absent for those that take differences. */
  readonly combine?: Combine;
  readonly result?: ValueType;
}

const NUMBERS: readonly ValueType[] = ['INT64', 'DOUBLE'];
const NUMBERS_AND_BOOL: readonly ValueType[] = ['INT64', 'DOUBLE', 'BOOL'];

const numeric =
  (work: (values: readonly number[]) => number): Combine =>
  (values) =>
    work(values as readonly number[]);

const sumOf = (values: readonly number[]) => values.reduce((sum, each) => sum + each, 0);
const meanOf = (values: readonly number[]) => sumOf(values) / values.length;

const percentile = (percent: number): Aligner => ({
  kinds: ['GAUGE', 'DELTA'],
  types: ['DISTRIBUTION'],
  combine: (values) => {
    const all = merged(values as readonly Histogram[]);
    return all === undefined ? undefined : percentileOf(all, percent);
  },
  result: 'DOUBLE',
});

/**
 * Kinds and types as Google's proto and its refusals have them: a percentile aligner, for one, is
 * not for CUMULATIVE distributions; those take ALIGN_DELTA and a percentile reducer.
 */
const ALIGNERS: Readonly<Record<string, Aligner>> = {
  ALIGN_DELTA: { kinds: ['CUMULATIVE', 'DELTA'], types: ['INT64', 'DOUBLE', 'DISTRIBUTION'] },
  ALIGN_RATE: { kinds: ['CUMULATIVE', 'DELTA'], types: NUMBERS, result: 'DOUBLE' },
  ALIGN_NEXT_OLDER: {
    kinds: ['GAUGE'],
    types: ['INT64', 'DOUBLE', 'BOOL', 'DISTRIBUTION'],
    combine: (values) => values.at(-1),
  },
  ALIGN_MIN: {
    kinds: ['GAUGE', 'DELTA'],
    types: NUMBERS,
    combine: numeric((values) => Math.min(...values)),
  },
  ALIGN_MAX: {
    kinds: ['GAUGE', 'DELTA'],
    types: NUMBERS,
    combine: numeric((values) => Math.max(...values)),
  },
  ALIGN_MEAN: {
    kinds: ['GAUGE', 'DELTA'],
    types: NUMBERS,
    combine: numeric(meanOf),
    result: 'DOUBLE',
  },
  ALIGN_COUNT: {
    kinds: ['GAUGE', 'DELTA'],
    types: NUMBERS_AND_BOOL,
    combine: (values) => values.length,
    result: 'INT64',
  },
  ALIGN_SUM: {
    kinds: ['GAUGE', 'DELTA'],
    types: ['INT64', 'DOUBLE', 'DISTRIBUTION'],
    combine: (values) =>
      typeof values[0] === 'number'
        ? sumOf(values as readonly number[])
        : merged(values as readonly Histogram[]),
  },
  ALIGN_FRACTION_TRUE: {
    kinds: ['GAUGE'],
    types: ['BOOL'],
    combine: numeric(meanOf),
    result: 'DOUBLE',
  },
  ALIGN_PERCENTILE_99: percentile(99),
  ALIGN_PERCENTILE_95: percentile(95),
  ALIGN_PERCENTILE_50: percentile(50),
  ALIGN_PERCENTILE_05: percentile(5),
};

/** Whether Cloud Monitoring would take the aligner for such a metric; throws if not. */
function checkAligner(name: string, kind: MetricKind, valueType: ValueType): void {
  const aligner = alignerOf(name);
  if (aligner.kinds.includes(kind) && aligner.types.includes(valueType)) return;
  throw new EvaluationError(
    `Field aggregation.perSeriesAligner had an invalid value of "${name}": The aligner cannot be ` +
      `applied to metrics with kind ${kind} and value type ${valueType}.`,
  );
}

function alignerOf(name: string): Aligner {
  const aligner = Object.hasOwn(ALIGNERS, name) ? ALIGNERS[name] : undefined;
  if (aligner === undefined) throw new EvaluationError(`The aligner ${name} is not known here.`);
  return aligner;
}

/** One value a period, of those periods that have any. */
export function align(line: Line, name: string, grid: Grid): Line {
  checkAligner(name, line.kind, line.valueType);
  const { combine, result = line.valueType } = alignerOf(name);
  const points = sinceFirst(line.points, grid);
  if (combine !== undefined) {
    const kind = name === 'ALIGN_SUM' ? line.kind : 'GAUGE';
    return { kind, valueType: result, points: gathered(points, grid, combine), aligned: true };
  }
  const grown = line.kind === 'CUMULATIVE' ? increments(points) : points;
  const deltas = differences(grown, grid);
  if (name === 'ALIGN_DELTA') {
    return { kind: 'DELTA', valueType: result, points: deltas, aligned: true };
  }
  const seconds = grid.periodMs / 1_000;
  const rates = deltas.map(({ endMs, value }) => moment(endMs, (value as number) / seconds));
  return { kind: 'GAUGE', valueType: result, points: rates, aligned: true };
}

const moment = (endMs: number, value: number | Histogram): Sample => ({
  startMs: endMs,
  endMs,
  value,
});

/** Without what ended before the first period, but for the point that the next is compared with. */
function sinceFirst(samples: readonly Sample[], { endsMs, periodMs }: Grid): readonly Sample[] {
  const [first = 0] = endsMs;
  return samples.slice(Math.max(0, firstAfter(samples, first - periodMs) - 1));
}

/** Points as they are aligned. */
export function samplesOf(points: readonly Point[]): Sample[] {
  return points.map(({ startMs, endMs, value }) => ({ startMs, endMs, value: sampleValue(value) }));
}

const sampleValue = (value: Value) => (typeof value === 'number' ? value : histogramOf(value));

/** Values that ended in the period, its own end included. */
function gathered(samples: readonly Sample[], grid: Grid, combine: Combine): Sample[] {
  const points: Sample[] = [];
  for (const endMs of grid.endsMs) {
    const from = firstAfter(samples, endMs - grid.periodMs);
    const to = firstAfter(samples, endMs);
    if (from === to) continue;
    const value = combine(samples.slice(from, to).map((sample) => sample.value));
    if (value !== undefined) points.push(moment(endMs, value));
  }
  return points;
}

/**
 * What came to a sum that began at its start time: the first point of each start counts from zero,
 * so that a new process loses nothing. A sum that shrinks without a new start began anew, too.
 */
function increments(samples: readonly Sample[]): Sample[] {
  return samples.map((sample, index) => {
    const before = samples[index - 1];
    if (before === undefined || before.startMs !== sample.startMs) return sample;
    const value = grownBy(before.value, sample.value);
    return { startMs: before.endMs, endMs: sample.endMs, value };
  });
}

function grownBy(before: number | Histogram, after: number | Histogram): number | Histogram {
  if (typeof before === 'number' || typeof after === 'number') {
    const grown = (after as number) - (before as number);
    return grown < 0 ? after : grown;
  }
  return after.count < before.count ? after : addHistogram(after, before, -1);
}

/** What of each increment falls into the period, as if it had come evenly over its time. */
function differences(samples: readonly Sample[], grid: Grid): Sample[] {
  const points: Sample[] = [];
  for (const toMs of grid.endsMs) {
    const fromMs = toMs - grid.periodMs;
    let total: number | Histogram | undefined;
    for (let index = firstAfter(samples, fromMs); index < samples.length; index += 1) {
      const { startMs, endMs, value } = samples[index]!;
      if (startMs >= toMs) break;
      const overlapMs = Math.min(endMs, toMs) - Math.max(startMs, fromMs);
      total = plus(total, value, overlapMs / (endMs - startMs));
    }
    if (total !== undefined) points.push({ startMs: fromMs, endMs: toMs, value: total });
  }
  return points;
}

function plus(
  total: number | Histogram | undefined,
  value: number | Histogram,
  share: number,
): number | Histogram {
  if (typeof value === 'number') return ((total as number | undefined) ?? 0) + value * share;
  return addHistogram(total as Histogram | undefined, value, share);
}

/** Where the samples begin that end after the time. */
function firstAfter(samples: readonly Sample[], timeMs: number): number {
  let low = 0;
  let high = samples.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (samples[middle]!.endMs <= timeMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** All of them in one; undefined where there is none. */
export function merged(histograms: readonly Histogram[]): Histogram | undefined {
  return histograms.reduce<Histogram | undefined>(
    (all, each) => addHistogram(all, each, 1),
    undefined,
  );
}
