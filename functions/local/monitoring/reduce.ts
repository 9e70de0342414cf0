import { type Line, merged, type Sample } from './align.ts';
import { EvaluationError } from './evaluation-error.ts';
import { type Histogram, percentileOf } from './histogram.ts';
import type { ValueType } from './series.ts';

type Values = readonly (number | Histogram)[];

interface Reducer {
  readonly types: readonly ValueType[];
  readonly reduce: (values: Values) => number | Histogram | undefined;
  readonly result?: ValueType;
}

const NUMBERS: readonly ValueType[] = ['INT64', 'DOUBLE'];
const ADDABLE: readonly ValueType[] = ['INT64', 'DOUBLE', 'DISTRIBUTION'];

const isNumbers = (values: Values): values is readonly number[] => typeof values[0] === 'number';
const sumOf = (values: readonly number[]) => values.reduce((sum, each) => sum + each, 0);

const percentile = (percent: number): Reducer => ({
  types: ADDABLE,
  reduce: (values) => {
    if (isNumbers(values)) return percentileAmong(values, percent);
    const all = merged(values as readonly Histogram[]);
    return all === undefined ? undefined : percentileOf(all, percent);
  },
  result: 'DOUBLE',
});

const REDUCERS: Readonly<Record<string, Reducer>> = {
  REDUCE_SUM: {
    types: ADDABLE,
    reduce: (values) =>
      isNumbers(values) ? sumOf(values) : merged(values as readonly Histogram[]),
  },
  REDUCE_MEAN: {
    types: ADDABLE,
    reduce: (values) => {
      if (isNumbers(values)) return sumOf(values) / values.length;
      const all = merged(values as readonly Histogram[]);
      return all === undefined || all.count <= 0 ? undefined : all.sum / all.count;
    },
    result: 'DOUBLE',
  },
  REDUCE_MIN: { types: NUMBERS, reduce: (values) => Math.min(...(values as readonly number[])) },
  REDUCE_MAX: { types: NUMBERS, reduce: (values) => Math.max(...(values as readonly number[])) },
  REDUCE_COUNT: {
    types: ['BOOL', 'INT64', 'DOUBLE', 'DISTRIBUTION'],
    reduce: (values) => values.length,
    result: 'INT64',
  },
  REDUCE_PERCENTILE_99: percentile(99),
  REDUCE_PERCENTILE_95: percentile(95),
  REDUCE_PERCENTILE_50: percentile(50),
  REDUCE_PERCENTILE_05: percentile(5),
};

/** Whether Cloud Monitoring would take the reducer for such values; throws if not. */
function checkReducer(name: string, valueType: ValueType): void {
  if (reducerOf(name).types.includes(valueType)) return;
  throw new EvaluationError(
    `Field aggregation.crossSeriesReducer had an invalid value of "${name}": The reducer cannot ` +
      `be applied to metrics with value type ${valueType}.`,
  );
}

function reducerOf(name: string): Reducer {
  const reducer = Object.hasOwn(REDUCERS, name) ? REDUCERS[name] : undefined;
  if (reducer === undefined) throw new EvaluationError(`The reducer ${name} is not known here.`);
  return reducer;
}

/** Many aligned series as one. */
export function reduce(members: readonly Line[], name: string): Line {
  const [first] = members;
  if (first === undefined) throw new EvaluationError('There is nothing to reduce.');
  checkReducer(name, first.valueType);
  const { reduce: combine, result = first.valueType } = reducerOf(name);
  const samples = members.flatMap(({ points }) => points);
  const points: Sample[] = [];
  for (const same of Map.groupBy(samples, ({ endMs }) => endMs).values()) {
    const value = combine(same.map((sample) => sample.value));
    const { startMs, endMs } = same[0]!;
    if (value !== undefined) points.push({ startMs, endMs, value });
  }
  points.sort((one, other) => one.endMs - other.endMs);
  const kind = name === 'REDUCE_SUM' ? first.kind : 'GAUGE';
  return { kind, valueType: result, points, aligned: true };
}

/** Between the two nearest, if it falls between. */
function percentileAmong(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (percent / 100) * (sorted.length - 1);
  const low = sorted[Math.floor(at)]!;
  const high = sorted[Math.ceil(at)]!;
  return low + (at - Math.floor(at)) * (high - low);
}
