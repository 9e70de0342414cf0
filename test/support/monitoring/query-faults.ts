import { type JsonObject, listAt, textAt } from './json.ts';
import {
  KNOWN_METRICS,
  type KnownMetric,
  type MetricKind,
  type ValueType,
  valuesAllowed,
} from './known-metrics.ts';
import { type LabelTerm, parseGroupBy, parseMetricFilter } from './metric-filter.ts';

/** What flows from one step of a query to the next. */
interface Flow {
  readonly kind: MetricKind;
  readonly valueType: ValueType;
}

const NUMERIC: readonly ValueType[] = ['INT64', 'DOUBLE'];
const POINTS: readonly MetricKind[] = ['GAUGE', 'DELTA'];
const PILES: readonly MetricKind[] = ['DELTA', 'CUMULATIVE'];
const percentile = {
  kinds: POINTS,
  types: ['DISTRIBUTION'],
  kind: 'GAUGE',
  gives: 'DOUBLE',
} as const;

/** The aligners that the local evaluator knows, with what `common.proto` says they are valid for. */
const ALIGNERS: Readonly<
  Record<
    string,
    {
      readonly kinds: readonly MetricKind[];
      readonly types: readonly ValueType[];
      readonly kind?: MetricKind;
      readonly gives?: ValueType;
    }
  >
> = {
  ALIGN_DELTA: { kinds: PILES, types: [...NUMERIC, 'DISTRIBUTION'], kind: 'DELTA' },
  ALIGN_RATE: { kinds: PILES, types: NUMERIC, kind: 'GAUGE', gives: 'DOUBLE' },
  ALIGN_NEXT_OLDER: { kinds: ['GAUGE'], types: [...NUMERIC, 'BOOL', 'DISTRIBUTION'] },
  ALIGN_MIN: { kinds: POINTS, types: NUMERIC },
  ALIGN_MAX: { kinds: POINTS, types: NUMERIC },
  ALIGN_MEAN: { kinds: POINTS, types: NUMERIC, gives: 'DOUBLE' },
  ALIGN_COUNT: { kinds: POINTS, types: [...NUMERIC, 'BOOL'], gives: 'INT64' },
  ALIGN_SUM: { kinds: POINTS, types: [...NUMERIC, 'DISTRIBUTION'] },
  ALIGN_FRACTION_TRUE: { kinds: ['GAUGE'], types: ['BOOL'], gives: 'DOUBLE' },
  ALIGN_PERCENTILE_50: percentile,
  ALIGN_PERCENTILE_95: percentile,
  ALIGN_PERCENTILE_99: percentile,
};

const ANY: readonly ValueType[] = [...NUMERIC, 'BOOL', 'DISTRIBUTION'];
const NUMBERS: readonly ValueType[] = [...NUMERIC, 'DISTRIBUTION'];

/** The reducers that the local evaluator knows; each of several distributions merges them first. */
const REDUCERS: Readonly<
  Record<string, { readonly types: readonly ValueType[]; readonly gives?: ValueType }>
> = {
  REDUCE_NONE: { types: ANY },
  REDUCE_SUM: { types: NUMBERS },
  REDUCE_MEAN: { types: NUMBERS, gives: 'DOUBLE' },
  REDUCE_MIN: { types: NUMERIC },
  REDUCE_MAX: { types: NUMERIC },
  REDUCE_COUNT: { types: ANY, gives: 'INT64' },
  REDUCE_PERCENTILE_50: { types: NUMBERS, gives: 'DOUBLE' },
  REDUCE_PERCENTILE_95: { types: NUMBERS, gives: 'DOUBLE' },
  REDUCE_PERCENTILE_99: { types: NUMBERS, gives: 'DOUBLE' },
};

/** What is wrong with a filter and its aggregations, which must end in numbers. */
export function queryFaults(filter: string, aggregations: readonly JsonObject[]): string[] {
  let metric: KnownMetric | undefined;
  const faults: string[] = [];
  try {
    const parsed = parseMetricFilter(filter);
    metric = KNOWN_METRICS.get(parsed.metricType);
    if (metric === undefined) return [`unknown metric ${parsed.metricType}`];
    if (metric.resource !== parsed.resourceType) {
      faults.push(`${metric.type} is written on ${metric.resource}, not ${parsed.resourceType}`);
    }
    for (const term of parsed.labels) faults.push(...labelFaults(metric, term, parsed.labels));
  } catch (error) {
    return [(error as Error).message];
  }
  if (aggregations.length === 0) return [...faults, `nothing aligns ${metric.type}`];
  let flow: Flow | string = metric;
  for (const aggregation of aggregations) {
    faults.push(...groupFaults(metric, aggregation));
    flow = afterAggregation(flow, aggregation);
    if (typeof flow === 'string') return [...faults, `${metric.type}: ${flow}`];
  }
  if (!NUMERIC.includes(flow.valueType)) {
    faults.push(`${metric.type}: ${flow.valueType} is left, and no line can be drawn of it`);
  }
  return faults;
}

function labelFaults(
  metric: KnownMetric,
  { of, label, operator, values }: LabelTerm,
  all: readonly LabelTerm[],
): string[] {
  if (of === 'resource') {
    return metric.resourceLabels.includes(label)
      ? []
      : [`${metric.resource} has no label ${label}`];
  }
  if (metric.labels[label] === undefined) return [`${metric.type} has no label ${label}`];
  const allowed = valuesAllowed(metric, label, componentsIn(metric, all));
  if (allowed.length === 0) return [];
  if (operator === 'full_match') {
    const pattern = new RegExp(`^(?:${values[0]!})$`);
    return allowed.some((value) => pattern.test(value))
      ? []
      : [`${label} of ${metric.type} never matches ${values[0]}`];
  }
  return values
    .filter((value) => !allowed.includes(value))
    .map((value) => `${label} of ${metric.type} is never ${value}`);
}

/** The components that the terms of a filter leave. */
function componentsIn(metric: KnownMetric, terms: readonly LabelTerm[]): readonly string[] {
  const own = terms.filter(({ of, label }) => of === 'metric' && label === 'component');
  return (metric.labels['component'] ?? []).filter((component) =>
    own.every(({ operator, values }) => {
      if (operator === '!=') return !values.includes(component);
      if (operator !== 'full_match') return values.includes(component);
      return new RegExp(`^(?:${values[0]!})$`).test(component);
    }),
  );
}

function groupFaults(metric: KnownMetric, aggregation: JsonObject): string[] {
  const fields = listAt(aggregation, 'groupByFields').map(String);
  const reducer = textAt(aggregation, 'crossSeriesReducer');
  if (fields.length > 0 && (reducer === '' || reducer === 'REDUCE_NONE')) {
    return ['groupByFields without a reducer'];
  }
  return fields.flatMap((field) => {
    try {
      const { of, label } = parseGroupBy(field);
      const known = of === 'metric' ? Object.keys(metric.labels) : metric.resourceLabels;
      return known.includes(label) ? [] : [`${metric.type} has no ${of} label ${label}`];
    } catch (error) {
      return [(error as Error).message];
    }
  });
}

/** What comes out, or why it cannot. */
function afterAggregation(flow: Flow, aggregation: JsonObject): Flow | string {
  const period = /^(\d+)s$/.exec(textAt(aggregation, 'alignmentPeriod'))?.[1];
  if (period === undefined || Number(period) < 60 || Number(period) % 60 !== 0) {
    return 'the alignment period must be whole minutes';
  }
  const aligner = textAt(aggregation, 'perSeriesAligner');
  const align = Object.hasOwn(ALIGNERS, aligner) ? ALIGNERS[aligner] : undefined;
  if (align === undefined) return `unknown aligner ${aligner || 'none'}`;
  if (!align.kinds.includes(flow.kind) || !align.types.includes(flow.valueType)) {
    return `${aligner} does not fit ${flow.kind} ${flow.valueType}`;
  }
  const valueType = align.gives ?? flow.valueType;
  const reducer = textAt(aggregation, 'crossSeriesReducer') || 'REDUCE_NONE';
  const reduce = Object.hasOwn(REDUCERS, reducer) ? REDUCERS[reducer] : undefined;
  if (reduce === undefined) return `unknown reducer ${reducer}`;
  if (!reduce.types.includes(valueType)) return `${reducer} does not fit ${valueType}`;
  return { kind: align.kind ?? flow.kind, valueType: reduce.gives ?? valueType };
}
