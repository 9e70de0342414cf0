/** The words, buckets and kinds that the catalogue of metrics is written with. */

/** Who writes: a label of every series. */
export const COMPONENTS = ['relay', 'store', 'fetch', 'upkeep', 'probe'] as const;
export type Component = (typeof COMPONENTS)[number];

/** What a value that a label does not know becomes; the metric `label_faults_total` counts it. */
export const OTHER = 'other';

/** Milliseconds from a memory lookup to a stalled queue; for ever the same, or charts break. */
export const MILLISECONDS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000,
  1_800_000, 7_200_000,
] as const;
export const MICROSECONDS = [
  10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 20_000, 100_000,
] as const;
export const COUNTS = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000] as const;

/** `unknown`: of what cannot be read far enough. */
export const KIND_CLASSES = [
  'regular',
  'replaceable',
  'ephemeral',
  'addressable',
  'unknown',
] as const;

/** What becomes of an EVENT at the relay, and of an event in store. */
export const OUTCOMES = {
  relay: [
    'accepted',
    'duplicate',
    'superseded',
    'deleted',
    'invalid',
    'rate-limited',
    'restricted',
    'pow',
    'blocked',
    'unavailable',
    'unpublished',
    'error',
  ],
  store: [
    'stored',
    'duplicate',
    'superseded',
    'deleted',
    'refused',
    'poison',
    'unreadable',
    'unavailable',
    'unpublished',
  ],
} as const;

/** Why something failed. */
export const REASONS = {
  relay: [
    'deleted',
    'invalid',
    'rate-limited',
    'restricted',
    'pow',
    'blocked',
    'unavailable',
    'unpublished',
    'error',
  ],
  store: ['refused', 'poison', 'unreadable', 'unavailable', 'unpublished', 'error'],
  fetch: ['unreachable', 'timeout', 'misbehaved', 'invalid', 'refused', 'error'],
  upkeep: ['job', 'error'],
  probe: ['connect', 'write', 'read', 'live', 'delete', 'error'],
} as const;

/** The values that a label may take: the same for all who write it, or each component's own. */
export type LabelValues =
  | readonly string[]
  | Readonly<Partial<Record<Component, readonly string[]>>>;

interface Described {
  /** As Cloud Monitoring writes units (UCUM): `1`, `ms`, `us`, `s`, `By`, `{event}` and so on. */
  readonly unit: string;
  readonly description: string;
  readonly components: readonly Component[];
  readonly labels: Readonly<Record<string, LabelValues>>;
}
/** Grows; written as CUMULATIVE INT64. */
interface CounterDefinition extends Described {
  readonly kind: 'counter';
}
/** Goes up and down; written as GAUGE DOUBLE. */
interface GaugeDefinition extends Described {
  readonly kind: 'gauge';
}
/** Many values; written as CUMULATIVE DISTRIBUTION with these upper bounds of buckets. */
interface DistributionDefinition extends Described {
  readonly kind: 'distribution';
  readonly bounds: readonly number[];
}
export type MetricDefinition = CounterDefinition | GaugeDefinition | DistributionDefinition;
