import type { FilterLimits } from '../nostr/filter.ts';
import type { RateLimits } from '../policy/limits.ts';
import type { RelayConfiguration } from './configuration.ts';
import type { ConnectionLimits } from './connection.ts';
import type { ConnectionCounts } from './connections.ts';
import type { ReconciliationLimits } from './reconciliations.ts';
import type { RequestLimits } from './requests.ts';

/** Short beside the default of every limit in time, long beside what a look at all costs. */
const TICK_MS_MAX = 1_000;

/** What the variables mean for haste; a minute's count may also come all at once. */
export function rateLimitsOf(configuration: RelayConfiguration): RateLimits {
  const perMinute = (count: number) => ({ perSecond: count / 60, burst: count });
  return {
    eventsByAddress: {
      perSecond: configuration.RELAY_EVENTS_PER_SECOND,
      burst: configuration.RELAY_EVENTS_BURST,
    },
    eventsByKey: perMinute(configuration.RELAY_KEY_EVENTS_PER_MINUTE),
    versionsByKey: perMinute(configuration.RELAY_KEY_VERSIONS_PER_MINUTE),
    requestsByAddress: {
      perSecond: configuration.RELAY_REQUESTS_PER_SECOND,
      burst: configuration.RELAY_REQUESTS_BURST,
    },
  };
}

function filterLimitsOf(configuration: RelayConfiguration): FilterLimits {
  return {
    idsMax: configuration.RELAY_FILTER_IDS_MAX,
    authorsMax: configuration.RELAY_FILTER_AUTHORS_MAX,
    kindsMax: configuration.RELAY_FILTER_KINDS_MAX,
    tagValuesMax: configuration.RELAY_FILTER_TAG_VALUES_MAX,
    tagFiltersMax: configuration.RELAY_FILTER_TAGS_MAX,
  };
}

function reconciliationLimitsOf(configuration: RelayConfiguration): ReconciliationLimits {
  return {
    sessionsMax: configuration.RELAY_NEGENTROPY_SESSIONS_MAX,
    itemsMax: configuration.RELAY_NEGENTROPY_ITEMS_MAX,
    frameBytesMax: configuration.RELAY_NEGENTROPY_FRAME_BYTES_MAX,
    idleMs: configuration.RELAY_NEGENTROPY_IDLE_SECONDS * 1_000,
    gatherMs: configuration.RELAY_NEGENTROPY_GATHER_SECONDS * 1_000,
    valuesMax: configuration.RELAY_REQUEST_VALUES_MAX,
    filter: filterLimitsOf(configuration),
  };
}

/** What the variables mean for the REQs of one connection. */
export function requestLimitsOf(configuration: RelayConfiguration): RequestLimits {
  return {
    subscriptionsMax: configuration.RELAY_SUBSCRIPTIONS_MAX,
    filtersMax: configuration.RELAY_FILTERS_MAX,
    valuesMax: configuration.RELAY_REQUEST_VALUES_MAX,
    limitDefault: configuration.LIMIT_DEFAULT,
    limitMax: configuration.LIMIT_MAX,
    filter: filterLimitsOf(configuration),
  };
}

/** What the variables mean for one connection, whatever the budget. */
export function connectionLimitsOf(configuration: RelayConfiguration): ConnectionLimits {
  return {
    messageBytesMax: configuration.RELAY_MESSAGE_BYTES_MAX,
    eventsInFlightMax: configuration.RELAY_EVENTS_IN_FLIGHT_MAX,
    outbox: {
      sendBytesMax: configuration.RELAY_SEND_BYTES_MAX,
      answerBytesMax: configuration.RELAY_ANSWER_BYTES_MAX,
    },
    negentropy:
      configuration.RELAY_NEGENTROPY === 'on' ? reconciliationLimitsOf(configuration) : undefined,
    liveness: {
      pingMs: configuration.RELAY_PING_SECONDS * 1_000,
      idleMs: configuration.RELAY_IDLE_SECONDS * 1_000,
      lifetimeMs: configuration.RELAY_CONNECTION_MINUTES * 60_000,
    },
  };
}

/** How many connections the variables allow; addresses are counted with the rates only. */
export function connectionCountsOf(configuration: RelayConfiguration): ConnectionCounts {
  const limited = configuration.RELAY_RATE_LIMITS === 'on';
  return {
    totalMax: configuration.RELAY_CONNECTIONS_MAX,
    perAddressMax: limited ? configuration.RELAY_CONNECTIONS_PER_ADDRESS : 0,
    tickMs: Math.min(
      TICK_MS_MAX,
      configuration.RELAY_PING_SECONDS * 1_000,
      configuration.RELAY_IDLE_SECONDS * 1_000,
      configuration.RELAY_NEGENTROPY_IDLE_SECONDS * 1_000,
    ),
  };
}
