import { BUDGET_STEPS } from '../budget-step.ts';
import { SOCKET_METRICS } from './socket-metrics.ts';
import {
  COMPONENTS,
  COUNTS,
  type Component,
  KIND_CLASSES,
  type LabelValues,
  type MetricDefinition,
  MICROSECONDS,
  MILLISECONDS,
  OUTCOMES,
  REASONS,
} from './vocabulary.ts';

export { COMPONENTS, type Component, type MetricDefinition, OTHER } from './vocabulary.ts';

/** Each name is `custom.googleapis.com/distrise/` and what the catalogue calls it. */
export const METRIC_PREFIX = 'custom.googleapis.com/distrise/';

const EVERYWHERE = COMPONENTS;
const CONNECTED = ['relay', 'store', 'fetch', 'upkeep'] as const;

/** Only the relay may read from a replica. */
const POOLS = {
  relay: ['primary', 'replica'],
  store: ['primary'],
  fetch: ['primary'],
  upkeep: ['primary'],
} as const;

/**
 * Every metric that Distrise writes: what it is called in Cloud Monitoring, what it counts, and
 * which values its labels may take. Code, dashboards, alerts, the local page and the cost of it all
 * are checked against this one list. Labels are bounded: never a key, an id or a free text.
 */
export const CATALOGUE = {
  // The five of the design.
  success_total: {
    kind: 'counter',
    unit: '1',
    description:
      'Work that succeeded: EVENTs answered OK true, events settled by store, visits to other ' +
      'relays, upkeep jobs, probes.',
    components: EVERYWHERE,
    labels: {},
  },
  fail_total: {
    kind: 'counter',
    unit: '1',
    description: 'Work that failed, by reason.',
    components: EVERYWHERE,
    labels: { reason: REASONS },
  },
  process_duration: {
    kind: 'distribution',
    unit: 'ms',
    description:
      'From the arrival of a piece of work to its answer: an EVENT to its OK, a push call, a ' +
      'visit, an upkeep job, a probe.',
    components: EVERYWHERE,
    labels: {},
    bounds: MILLISECONDS,
  },
  websocket_connections: {
    kind: 'gauge',
    unit: '{connection}',
    description: 'Open WebSocket connections: of clients (relay), to other relays (fetch).',
    components: ['relay', 'fetch'],
    labels: {},
  },
  store_delay: {
    kind: 'distribution',
    unit: 'ms',
    description: "From the relay's acceptance of an event to its commit: what a queue hides.",
    components: ['store'],
    labels: { origin: ['client', 'upstream'] },
    bounds: MILLISECONDS,
  },

  // Events on their way in.
  events_total: {
    kind: 'counter',
    unit: '{event}',
    description: 'Events by class of kind and by outcome.',
    components: ['relay', 'store'],
    labels: { kind_class: KIND_CLASSES, outcome: OUTCOMES },
  },
  verify_duration: {
    kind: 'distribution',
    unit: 'us',
    description: "Time that checking an event's id and signature took.",
    components: ['relay'],
    labels: {},
    bounds: MICROSECONDS,
  },
  pending_events: {
    kind: 'gauge',
    unit: '{event}',
    description: 'Events that got OK and whose outcome has not come back yet.',
    components: ['relay'],
    labels: {},
  },
  pending_bytes: {
    kind: 'gauge',
    unit: 'By',
    description: 'Memory of those events; at its bound EVENT is refused.',
    components: ['relay'],
    labels: {},
  },
  pending_age: {
    kind: 'gauge',
    unit: 's',
    description: 'Age of the oldest of those events.',
    components: ['relay'],
    labels: {},
  },
  publish_batch: {
    kind: 'distribution',
    unit: '{event}',
    description: 'Events in one Pub/Sub message.',
    components: ['relay', 'store', 'fetch'],
    labels: {},
    bounds: COUNTS,
  },
  publish_duration: {
    kind: 'distribution',
    unit: 'ms',
    description: 'Time that Pub/Sub took to acknowledge a publish.',
    components: ['relay', 'store', 'fetch'],
    labels: {},
    bounds: MILLISECONDS,
  },
  publish_failures_total: {
    kind: 'counter',
    unit: '1',
    description: 'Publishes that Pub/Sub did not acknowledge in time.',
    components: ['relay', 'store', 'fetch'],
    labels: {},
  },

  // Questions, answers, delivery and connections.
  ...SOCKET_METRICS,

  // The database, as a component sees it.
  database_wait: {
    kind: 'distribution',
    unit: 'ms',
    description: "Time that work waited for a connection of the component's own pool.",
    components: CONNECTED,
    labels: { pool: POOLS },
    bounds: MILLISECONDS,
  },
  database_connections: {
    kind: 'gauge',
    unit: '{connection}',
    description: "Connections of the component's pool, and who waits for one.",
    components: CONNECTED,
    labels: { state: ['active', 'idle', 'waiting'], pool: POOLS },
  },

  replica_queries_total: {
    kind: 'counter',
    unit: '1',
    description:
      'Queries for stored events where there is a read replica: answered by it, or left to the ' +
      'primary, since the replica was behind, busy, away or slow, or failed, or since this ' +
      'instance did not know enough to correct it (unsure).',
    components: ['relay'],
    labels: { outcome: ['answered', 'behind', 'unsure', 'busy', 'away', 'slow', 'failed'] },
  },
  replica_lag_bytes: {
    kind: 'gauge',
    unit: 'By',
    description: 'Memory of recent changes that a read replica may not have replayed yet.',
    components: ['relay'],
    labels: {},
  },

  // Store.
  message_events: {
    kind: 'distribution',
    unit: '{event}',
    description: 'Events of one push call.',
    components: ['store'],
    labels: {},
    bounds: COUNTS,
  },
  redeliveries_total: {
    kind: 'counter',
    unit: '1',
    description: 'Push calls that were not the first of their message.',
    components: ['store'],
    labels: {},
  },
  dead_letters_total: {
    kind: 'counter',
    unit: '{message}',
    description: 'Dead letters by what was done with them.',
    components: ['store', 'upkeep'],
    labels: { action: { store: ['buried'], upkeep: ['replayed', 'kept', 'discarded'] } },
  },

  // Fetch.
  fetched_events_total: {
    kind: 'counter',
    unit: '{event}',
    description:
      'Events from other relays: new here, known, not wanted by our own rules, or not valid.',
    components: ['fetch'],
    labels: { result: ['new', 'known', 'unwanted', 'invalid'] },
  },
  fetch_requests_total: {
    kind: 'counter',
    unit: '1',
    description: 'Requests to other relays.',
    components: ['fetch'],
    labels: {},
  },
  fetch_bytes_total: {
    kind: 'counter',
    unit: 'By',
    description: 'Bytes that other relays sent.',
    components: ['fetch'],
    labels: {},
  },
  fetch_sources: {
    kind: 'gauge',
    unit: '{relay}',
    description: 'Other relays by how they stand; dead: failed 25 times in a row or more.',
    components: ['fetch'],
    labels: { state: ['active', 'failing', 'dead', 'paused', 'quarantined'] },
  },
  fetch_coverage: {
    kind: 'gauge',
    unit: '1',
    description:
      "Share of other relays' events that is stored here, by the newest measurements of active " +
      'sources: the lowest, and all together.',
    components: ['fetch'],
    labels: { statistic: ['lowest', 'together'] },
  },

  // Upkeep: what only one looks at for all.
  stored_events: {
    kind: 'gauge',
    unit: '{event}',
    description: 'Stored events, as the planner of PostgreSQL estimates them.',
    components: ['upkeep'],
    labels: {},
  },
  database_bytes: {
    kind: 'gauge',
    unit: 'By',
    description: 'Size of the database.',
    components: ['upkeep'],
    labels: {},
  },
  dead_letters: {
    kind: 'gauge',
    unit: '{message}',
    description: 'Dead letters that wait for a person.',
    components: ['upkeep'],
    labels: {},
  },
  partitions: {
    kind: 'gauge',
    unit: '1',
    description: 'Partitions of the table of regular events.',
    components: ['upkeep'],
    labels: {},
  },

  // The budget.
  budget_step: {
    kind: 'gauge',
    unit: '1',
    description: '1 while a step of the budget ladder holds, as each component knows it, else 0.',
    components: ['relay', 'fetch', 'upkeep'],
    labels: { step: BUDGET_STEPS },
  },
  budget_spent: {
    kind: 'gauge',
    unit: '1',
    description: 'Share of the budget that is spent, by the newest notification of Cloud Billing.',
    components: ['upkeep'],
    labels: {},
  },

  // Probe: what a client sees.
  probe_duration: {
    kind: 'distribution',
    unit: 'ms',
    description: "What a client waits for at the relay's public address.",
    components: ['probe'],
    labels: { step: ['open', 'write', 'read', 'live', 'delete'] },
    bounds: MILLISECONDS,
  },
  probe_success: {
    kind: 'gauge',
    unit: '1',
    description: '1 when the last probe went well, 0 when it failed after its retries.',
    components: ['probe'],
    labels: {},
  },

  // The process itself.
  memory_bytes: {
    kind: 'gauge',
    unit: 'By',
    description: 'Resident memory of the process.',
    components: EVERYWHERE,
    labels: {},
  },
  event_loop_delay: {
    kind: 'gauge',
    unit: 'ms',
    description:
      'How long the event loop was held since the last write, 99th percentile; of processes that ' +
      'always have a CPU: the relay, and fetch where it follows.',
    components: ['relay', 'fetch'],
    labels: {},
  },
  metric_failures_total: {
    kind: 'counter',
    unit: '1',
    description: 'Series that could not be written to Cloud Monitoring; seen once it works again.',
    components: EVERYWHERE,
    labels: { reason: ['refused', 'unavailable', 'clock'] },
  },
  label_faults_total: {
    kind: 'counter',
    unit: '1',
    description: 'Label values that the catalogue does not allow; they were written as `other`.',
    components: EVERYWHERE,
    labels: {},
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;

export type MetricName = keyof typeof CATALOGUE;
type NamesOf<K extends MetricDefinition['kind']> = {
  [N in MetricName]: (typeof CATALOGUE)[N]['kind'] extends K ? N : never;
}[MetricName];
export type CounterName = NamesOf<'counter'>;
export type GaugeName = NamesOf<'gauge'>;
export type DistributionName = NamesOf<'distribution'>;

type ValueOf<V, C extends Component> = V extends readonly (infer T)[]
  ? T
  : V[C & keyof V] extends readonly (infer T)[]
    ? T
    : never;

/** The labels of a metric with the values that they may take, from any component or from one. */
export type LabelsOf<N extends MetricName, C extends Component = Component> = {
  readonly [L in keyof (typeof CATALOGUE)[N]['labels']]: ValueOf<
    (typeof CATALOGUE)[N]['labels'][L],
    C
  > &
    string;
};

/** A definition without its literal types, for code that treats all alike. */
export const definitionOf = (name: MetricName): MetricDefinition => CATALOGUE[name];

export const METRIC_NAMES = Object.keys(CATALOGUE) as readonly MetricName[];

/** The values that a component may give a label; no component: those of all. */
export function labelValues(
  name: MetricName,
  label: string,
  component?: Component,
): readonly string[] {
  const values = definitionOf(name).labels[label] ?? [];
  if (isList(values)) return values;
  if (component !== undefined) return values[component] ?? [];
  return [...new Set(Object.values(values).flat())];
}

const isList = (values: LabelValues): values is readonly string[] => Array.isArray(values);

/**
 * The most series of a metric that one process of a component can write; one more for `other` in
 * each label. No component: the one that writes most.
 */
export function seriesOf(name: MetricName, component?: Component): number {
  const { components, labels } = definitionOf(name);
  if (component === undefined) return Math.max(...components.map((each) => seriesOf(name, each)));
  if (!components.includes(component)) return 0;
  return Object.keys(labels).reduce(
    (product, label) => product * (labelValues(name, label, component).length + 1),
    1,
  );
}

/** The most series that one process of a component can write. */
export const seriesMax = (component: Component): number =>
  METRIC_NAMES.reduce((sum, name) => sum + seriesOf(name, component), 0);
