import { COUNTS, type MetricDefinition, MILLISECONDS } from './vocabulary.ts';

/** What a relay instance writes of its clients: a part of the catalogue. */
export const SOCKET_METRICS = {
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
    description: 'Bytes that clients sent, as they came over the sockets.',
    components: ['relay'],
    labels: {},
  },
  sent_bytes_total: {
    kind: 'counter',
    unit: 'By',
    description: 'Bytes that were sent to clients, as they went over the sockets.',
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
      cause: ['client', 'slow', 'dead', 'idle', 'age', 'stopping', 'protocol'],
    },
  },
  rate_limited_total: {
    kind: 'counter',
    unit: '1',
    description: 'Messages that a rate limit refused.',
    components: ['relay'],
    labels: { what: ['event', 'request'] },
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;
