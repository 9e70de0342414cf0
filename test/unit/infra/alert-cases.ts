import {
  type Component,
  type MetricName,
  OTHER,
} from '../../../functions/cloud/metrics/catalogue.ts';

/** One series as a process writes it, minute by minute. */
export interface CaseSeries {
  readonly metric: MetricName;
  readonly labels: Readonly<Record<string, string>> & { readonly component: Component };
  /** Which process. */
  readonly task: string;
  /**
   * What happened in a minute: a gauge's value, what a counter grew by, or the values that a
   * distribution took. Undefined: nothing is written.
   */
  readonly each: (minute: number) => number | readonly number[] | undefined;
}

/** What a condition must come to after `CASE_MINUTES`; series by hand, not from the condition. */
export interface AlertCase {
  readonly alert: string;
  readonly condition: string;
  readonly fires: readonly CaseSeries[];
  readonly quiet: readonly CaseSeries[];
}

export const CASE_MINUTES = 150;
/** What goes wrong begins here, and lasts. */
const WRONG = 40;

type Each = CaseSeries['each'];
const always =
  (value: number | readonly number[]): Each =>
  () =>
    value;
const late =
  (before: number | readonly number[], after: number | readonly number[] | undefined): Each =>
  (minute) =>
    minute < WRONG ? before : after;
/** Wrong for a while long ago, well again since. */
const over =
  (well: number | readonly number[], wrong: number | readonly number[] | undefined): Each =>
  (minute) =>
    minute >= 10 && minute < 30 ? wrong : well;

const of =
  (component: Component) =>
  (
    metric: MetricName,
    labels: Readonly<Record<string, string>>,
    each: Each,
    task = `${component}-1`,
  ) =>
    ({ metric, labels: { component, ...labels }, task, each }) satisfies CaseSeries;
const relay = of('relay');
const store = of('store');
const fetch = of('fetch');
const upkeep = of('upkeep');
const probe = of('probe');

const many = (value: number, times: number) => new Array<number>(times).fill(value);
const fast = many(30, 99);
const asked = { shape: 'authors', answered_by: 'database' };
const kept = { kind_class: 'regular', outcome: 'accepted' };
const lost = { kind_class: 'regular', outcome: 'unpublished' };
const bad = { kind_class: 'regular', outcome: 'invalid' };

export const ALERT_CASES: readonly AlertCase[] = [
  {
    alert: 'req-to-eose-p99',
    condition: '99th percentile from REQ to EOSE is above 2 s',
    // Three in a hundred are slow on one instance of two: more than one in a hundred of all.
    fires: [
      relay('query_duration', asked, late(fast, [...fast, ...many(4_000, 3)])),
      relay('query_duration', asked, always(fast), 'relay-2'),
    ],
    // One in two hundred is.
    quiet: [
      relay('query_duration', asked, always([...fast, 4_000])),
      relay('query_duration', asked, always(fast), 'relay-2'),
    ],
  },
  {
    alert: 'event-failures',
    condition: 'Over 1 % of EVENTs fail through our fault',
    fires: [relay('events_total', kept, always(95)), relay('events_total', lost, late(0, 5))],
    // One in two hundred, and clients' own mistakes, however many.
    quiet: [
      relay('events_total', kept, always(199)),
      relay('events_total', lost, always(1)),
      relay('events_total', bad, always(500)),
    ],
  },
  {
    alert: 'no-events',
    condition: 'Fewer than one EVENT in ten minutes',
    fires: [relay('events_total', kept, late(3, 0))],
    // What the probe writes every five minutes is enough.
    quiet: [relay('events_total', kept, (minute) => (minute % 5 === 0 ? 1 : 0))],
  },
  {
    alert: 'relay-silent',
    condition: 'No relay instance has written for ten minutes',
    fires: [relay('memory_bytes', {}, late(2e8, undefined))],
    // One instance ends and another one begins.
    quiet: [
      relay('memory_bytes', {}, late(2e8, undefined)),
      relay('memory_bytes', {}, (minute) => (minute < WRONG ? undefined : 2e8), 'relay-2'),
    ],
  },
  {
    alert: 'dead-letters-present',
    condition: 'Dead letters are kept in the database',
    fires: [upkeep('dead_letters', {}, late(0, 1))],
    quiet: [upkeep('dead_letters', {}, over(0, 3))],
  },
  {
    alert: 'backlog-age',
    condition: 'A relay has waited over 5 min for the outcome of an event',
    fires: [
      relay('pending_age', {}, (minute) => Math.max(1, (minute - WRONG) * 60)),
      relay('pending_age', {}, always(1), 'relay-2'),
    ],
    quiet: [relay('pending_age', {}, always(240))],
  },
  {
    alert: 'publish-failures',
    condition: 'More than five publishes failed in five minutes',
    fires: [
      relay('publish_failures_total', {}, late(0, 1)),
      relay('publish_failures_total', {}, late(0, 1), 'relay-2'),
    ],
    quiet: [relay('publish_failures_total', {}, (minute) => (minute % 5 === 0 ? 2 : 0))],
  },
  {
    alert: 'redeliveries',
    condition: 'Over one repeated push call a second',
    fires: [
      store('redeliveries_total', {}, late(0, 45)),
      store('redeliveries_total', {}, late(0, 45), 'store-2'),
    ],
    quiet: [store('redeliveries_total', {}, always(30))],
  },
  {
    alert: 'event-loop-held',
    condition: 'Event loop held over 200 ms',
    fires: [
      relay('event_loop_delay', {}, late(10, 400)),
      relay('event_loop_delay', {}, always(10), 'relay-2'),
    ],
    // Now and then a large answer.
    quiet: [relay('event_loop_delay', {}, (minute) => (minute % 5 === 0 ? 500 : 10))],
  },
  {
    alert: 'disconnects-by-server',
    condition: 'Over a fifth of ended connections was closed as slow or dead',
    fires: [
      relay('disconnects_total', { cause: 'slow' }, late(0, 10)),
      relay('disconnects_total', { cause: 'client' }, always(20)),
    ],
    // A stop of an instance closes all, and is no trouble.
    quiet: [
      relay('disconnects_total', { cause: 'stopping' }, always(100)),
      relay('disconnects_total', { cause: 'slow' }, always(1)),
    ],
  },
  {
    alert: 'disconnects-by-server',
    condition: 'Over 30 connections in ten minutes were closed as slow or dead',
    fires: [relay('disconnects_total', { cause: 'dead' }, late(0, 10))],
    quiet: [relay('disconnects_total', { cause: 'dead' }, always(2))],
  },
  {
    alert: 'connections-near-ceiling',
    condition: 'Over 80 % of the connections that one instance takes, as it counts itself',
    fires: [
      relay('websocket_connections', {}, late(100, 900)),
      relay('websocket_connections', {}, always(100), 'relay-2'),
    ],
    // 1,400 together are well.
    quiet: [
      relay('websocket_connections', {}, always(700)),
      relay('websocket_connections', {}, always(700), 'relay-2'),
      fetch('websocket_connections', {}, always(900)),
    ],
  },
  {
    alert: 'connections-near-ceiling',
    condition: 'Over 80 % of the connections that all instances take together',
    fires: [
      relay('websocket_connections', {}, late(100, 790)),
      relay('websocket_connections', {}, always(790), 'relay-2'),
      relay('websocket_connections', {}, always(100), 'relay-3'),
    ],
    // One full instance is Cloud Run's to relieve.
    quiet: [
      relay('websocket_connections', {}, always(1_000)),
      relay('websocket_connections', {}, always(400), 'relay-2'),
      fetch('websocket_connections', {}, always(900)),
    ],
  },
  {
    alert: 'connections-near-ceiling',
    condition: 'Connections are refused because an instance is full',
    fires: [relay('connections_total', { outcome: 'full' }, late(0, 2))],
    quiet: [
      relay('connections_total', { outcome: 'full' }, over(0, 2)),
      relay('connections_total', { outcome: 'opened' }, always(50)),
      relay('connections_total', { outcome: 'address' }, always(50)),
    ],
  },
  {
    alert: 'window-incomplete',
    condition: 'The window of an instance is incomplete',
    fires: [
      relay('window_complete', {}, late(1, 0)),
      relay('window_complete', {}, always(1), 'relay-2'),
    ],
    // Each start catches up for a minute or two.
    quiet: [relay('window_complete', {}, (minute) => (minute % 15 < 2 ? 0 : 1))],
  },
  {
    alert: 'database-connections',
    condition: 'Work waits over 1 s for a connection (99th percentile)',
    fires: [
      store('database_wait', { pool: 'primary' }, late([2], [...many(2, 9), 6_000])),
      relay('database_wait', { pool: 'primary' }, always([2])),
    ],
    quiet: [
      store('database_wait', { pool: 'primary' }, always([...fast, ...many(400, 10)])),
      relay('database_wait', { pool: 'replica' }, always([6_000])),
    ],
  },
  {
    alert: 'budget-steps',
    condition: 'Some step holds',
    fires: [
      upkeep('budget_step', { step: 'fetch' }, late(0, 1)),
      upkeep('budget_step', { step: 'read-only' }, always(0)),
    ],
    // A fetcher that has looked last while a step held says nothing of now.
    quiet: [
      upkeep('budget_step', { step: 'fetch' }, over(0, 1)),
      fetch('budget_step', { step: 'fetch' }, always(1)),
    ],
  },
  {
    alert: 'probe-failing',
    condition: 'No probe succeeded',
    fires: [probe('probe_success', {}, late(1, 0))],
    // One failure of three, and two processes in turn.
    quiet: [
      probe('probe_success', {}, (minute) =>
        minute % 6 === 0 ? Number(minute % 18 !== 6) : undefined,
      ),
      probe('probe_success', {}, (minute) => (minute % 6 === 3 ? 1 : undefined), 'probe-2'),
    ],
  },
  {
    alert: 'probe-failing',
    condition: 'The probe has not run for half an hour',
    fires: [probe('probe_success', {}, late(1, undefined))],
    quiet: [probe('probe_success', {}, (minute) => (minute % 20 === 0 ? 0 : undefined))],
  },
  {
    alert: 'fetch-coverage-low',
    condition: 'Under 95 % of what the sources have is here',
    fires: [
      fetch('fetch_coverage', { statistic: 'together' }, late(0.99, 0.9)),
      fetch('fetch_coverage', { statistic: 'lowest' }, always(0.5)),
    ],
    // The lowest of many may be low.
    quiet: [
      fetch('fetch_coverage', { statistic: 'together' }, always(0.97)),
      fetch('fetch_coverage', { statistic: 'lowest' }, always(0.5)),
    ],
  },
  {
    alert: 'fetch-sources-dead',
    condition: 'More than five sources are dead',
    fires: [fetch('fetch_sources', { state: 'dead' }, late(1, 12))],
    // Two processes tell the same four.
    quiet: [
      fetch('fetch_sources', { state: 'dead' }, always(4)),
      fetch('fetch_sources', { state: 'dead' }, always(4), 'fetch-2'),
      fetch('fetch_sources', { state: 'failing' }, always(50)),
    ],
  },
  {
    alert: 'metric-writes-failing',
    condition: 'Over 100 series in ten minutes could not be written',
    fires: [
      relay('metric_failures_total', { reason: 'refused' }, late(0, 8)),
      store('metric_failures_total', { reason: OTHER }, late(0, 8)),
    ],
    quiet: [relay('metric_failures_total', { reason: 'unavailable' }, over(0, 80))],
  },
];
