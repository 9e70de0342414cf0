import {
  definitionOf,
  METRIC_NAMES,
  METRIC_PREFIX,
  type MetricDefinition,
  OTHER,
} from '../../../functions/cloud/metrics/catalogue.ts';
import { infraJson } from './files.ts';

export type MetricKind = 'GAUGE' | 'DELTA' | 'CUMULATIVE';
export type ValueType = 'BOOL' | 'INT64' | 'DOUBLE' | 'DISTRIBUTION';

export interface KnownMetric {
  readonly type: string;
  readonly kind: MetricKind;
  readonly valueType: ValueType;
  readonly resource: string;
  readonly resourceLabels: readonly string[];
  /** No values: any. */
  readonly labels: Readonly<Record<string, readonly string[]>>;
}

/** A row of `infra/built-in-metrics.json`. */
export interface BuiltInMetric extends KnownMetric {
  readonly source: string;
}

export const BUILT_IN = (
  infraJson('built-in-metrics.json') as unknown as { metrics: readonly BuiltInMetric[] }
).metrics;

/** How each kind is written, see the catalogue. */
const WRITTEN_AS: Readonly<Record<MetricDefinition['kind'], readonly [MetricKind, ValueType]>> = {
  counter: ['CUMULATIVE', 'INT64'],
  gauge: ['GAUGE', 'DOUBLE'],
  distribution: ['CUMULATIVE', 'DISTRIBUTION'],
};

const ours: readonly KnownMetric[] = METRIC_NAMES.map((name) => {
  const definition = definitionOf(name);
  const [kind, valueType] = WRITTEN_AS[definition.kind];
  const labels = Object.entries(definition.labels).map(([label, values]) => [
    label,
    [...values, OTHER],
  ]);
  return {
    type: METRIC_PREFIX + name,
    kind,
    valueType,
    resource: 'generic_task',
    resourceLabels: ['project_id', 'location', 'namespace', 'job', 'task_id'],
    labels: { component: definition.components, ...Object.fromEntries(labels) },
  };
});

/** Every metric that a dashboard or an alert may name. */
export const KNOWN_METRICS: ReadonlyMap<string, KnownMetric> = new Map(
  [...ours, ...BUILT_IN].map((metric) => [metric.type, metric]),
);

export const isOurs = (type: string) => type.startsWith(METRIC_PREFIX);
