/**
 * Every metric that Distrise writes: what it is called in Cloud Monitoring, what it counts, and
 * which values its labels may take. Code, dashboards, alerts, the local page and the cost of it all
 * are checked against this one list. Labels are bounded: never a key, an id or a free text.
 */

/** Each name is `custom.googleapis.com/distrise/` and what the catalogue calls it. */
export const METRIC_PREFIX = 'custom.googleapis.com/distrise/';

/** Who writes: a label of every series. */
export const COMPONENTS = ['relay', 'store', 'fetch', 'upkeep', 'probe'] as const;
export type Component = (typeof COMPONENTS)[number];

/** What a value that a label does not know becomes; the metric `label_faults_total` counts it. */
export const OTHER = 'other';

/** Milliseconds from a memory lookup to a stalled queue; for ever the same, or charts break. */
const MILLISECONDS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000,
  1_800_000, 7_200_000,
] as const;
const MICROSECONDS = [10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 20_000, 100_000] as const;
const COUNTS = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000] as const;

const KIND_CLASSES = ['regular', 'replaceable', 'ephemeral', 'addressable'] as const;

/** The outcomes of an EVENT at the relay and of an event in store. */
const OUTCOMES = [
  'accepted',
  'duplicate',
  'superseded',
  'deleted',
  'invalid',
  'pow',
  'rate-limited',
  'restricted',
  'blocked',
  'auth-required',
  'error',
  'stored',
  'refused',
  'poison',
  'unreadable',
  'unavailable',
  'unpublished',
] as const;

/** Why something failed, of every component. */
const REASONS = [
  'invalid',
  'pow',
  'rate-limited',
  'restricted',
  'blocked',
  'auth-required',
  'error',
  'deleted',
  'refused',
  'poison',
  'unreadable',
  'unavailable',
  'unpublished',
  'timeout',
  'too-large',
  'database',
  'job',
  'unreachable',
  'misbehaved',
  'connect',
  'write',
  'read',
  'live',
  'delete',
] as const;

interface Described {
  /** As Cloud Monitoring writes units (UCUM): `1`, `ms`, `us`, `s`, `By`, `{event}` and so on. */
  readonly unit: string;
  readonly description: string;
  readonly components: readonly Component[];
  readonly labels: Readonly<Record<string, readonly string[]>>;
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

const EVERYWHERE = COMPONENTS;
const CONNECTED = ['relay', 'store', 'fetch', 'upkeep'] as const;

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
    components: ['relay', 'fetch'],
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

  // Questions and answers.
  query_duration: {
    kind: 'distribution',
    unit: 'ms',
    description:
      'From a REQ to its EOSE, by the shape of its first filter and by where the answer came from.',
    components: ['relay'],
    labels: {
      shape: ['ids', 'authors', 'address', 'tags', 'kinds', 'time'],
      answered_by: ['memory', 'database'],
    },
    bounds: MILLISECONDS,
  },
  query_rows: {
    kind: 'distribution',
    unit: '{event}',
    description: 'Stored events that answered one REQ.',
    components: ['relay'],
    labels: { answered_by: ['memory', 'database'] },
    bounds: COUNTS,
  },
  query_failures_total: {
    kind: 'counter',
    unit: '1',
    description: 'REQs that ended with CLOSED instead of EOSE for a reason of ours.',
    components: ['relay'],
    labels: { reason: ['timeout', 'too-large', 'database', 'slow', 'refused'] },
  },
  subscriptions: {
    kind: 'gauge',
    unit: '{subscription}',
    description: 'Open subscriptions.',
    components: ['relay'],
    labels: {},
  },
  window_events: {
    kind: 'gauge',
    unit: '{event}',
    description: 'Events in the recent window.',
    components: ['relay'],
    labels: {},
  },
  window_complete: {
    kind: 'gauge',
    unit: '1',
    description: '1 while the recent window may answer alone, 0 while it catches up.',
    components: ['relay'],
    labels: {},
  },

  // Delivery and connections.
  deliveries_total: {
    kind: 'counter',
    unit: '{event}',
    description: 'Live events handed to subscriptions.',
    components: ['relay'],
    labels: {},
  },
  delivery_delay: {
    kind: 'distribution',
    unit: 'ms',
    description: 'From the acceptance of an event, on any instance, to its fan-out on this one.',
    components: ['relay'],
    labels: { lane: ['own', 'fast', 'log'] },
    bounds: MILLISECONDS,
  },
  fast_lane_breaks_total: {
    kind: 'counter',
    unit: '1',
    description: 'Times that the subscription to `stored` broke.',
    components: ['relay'],
    labels: {},
  },
  received_bytes_total: {
    kind: 'counter',
    unit: 'By',
    description: 'Bytes that clients sent.',
    components: ['relay'],
    labels: {},
  },
  sent_bytes_total: {
    kind: 'counter',
    unit: 'By',
    description: 'Bytes that were sent to clients.',
    components: ['relay'],
    labels: {},
  },
  connections_total: {
    kind: 'counter',
    unit: '{connection}',
    description: 'WebSocket connections that were opened or refused.',
    components: ['relay'],
    labels: { outcome: ['opened', 'full', 'address', 'stopping'] },
  },
  disconnects_total: {
    kind: 'counter',
    unit: '{connection}',
    description: 'Connections that ended, by who or what ended them.',
    components: ['relay'],
    labels: {
      cause: ['client', 'slow', 'dead', 'idle', 'age', 'stopping', 'protocol', 'abuse'],
    },
  },
  rate_limited_total: {
    kind: 'counter',
    unit: '1',
    description: 'Messages that a rate limit refused.',
    components: ['relay'],
    labels: { what: ['event', 'request', 'connection'] },
  },

  // The database, as a component sees it.
  database_wait: {
    kind: 'distribution',
    unit: 'ms',
    description: "Time that work waited for a connection of the component's own pool.",
    components: CONNECTED,
    labels: {},
    bounds: MILLISECONDS,
  },
  database_connections: {
    kind: 'gauge',
    unit: '{connection}',
    description: "Connections of the component's pool, and who waits for one.",
    components: CONNECTED,
    labels: { state: ['active', 'idle', 'waiting'] },
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
    labels: { action: ['buried', 'replayed', 'kept', 'discarded'] },
  },

  // Fetch.
  fetched_events_total: {
    kind: 'counter',
    unit: '{event}',
    description: 'Events from other relays: new here, known, or not valid.',
    components: ['fetch'],
    labels: { result: ['new', 'known', 'invalid'] },
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
    description: 'The longest that the event loop was held since the last write, 99th percentile.',
    components: ['relay', 'store', 'fetch'],
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

/** The labels of a metric with the values that they may take. */
export type LabelsOf<N extends MetricName> = {
  readonly [L in keyof (typeof CATALOGUE)[N]['labels']]: (typeof CATALOGUE)[N]['labels'][L] extends readonly (infer V extends
    string)[]
    ? V
    : never;
};

/** A definition without its literal types, for code that treats all alike. */
export const definitionOf = (name: MetricName): MetricDefinition => CATALOGUE[name];

export const METRIC_NAMES = Object.keys(CATALOGUE) as readonly MetricName[];

/** The most series of a metric that one process can write; one more for `other` in each label. */
export const seriesOf = (name: MetricName): number =>
  Object.values(definitionOf(name).labels).reduce(
    (product, { length }) => product * (length + 1),
    1,
  );

/** The most series that one process of a component can write. */
export function seriesMax(component: Component): number {
  const own = METRIC_NAMES.filter((name) => definitionOf(name).components.includes(component));
  return own.reduce((sum, name) => sum + seriesOf(name), 0);
}
