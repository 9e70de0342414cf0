import { z } from 'zod';
import {
  type ConfigurationResult,
  eventVariables,
  logVariables,
  oneOf,
  parseConfiguration,
  postgresVariables,
  pubsubVariables,
  replicaVariables,
  wholeNumber,
} from '../cloud/configuration.ts';
import { metricsVariables } from '../cloud/metrics/configuration.ts';
import { DEFAULT_RATE_LIMITS } from '../policy/limits.ts';
import { writeVariables } from '../policy/variables.ts';
import { engineVariables } from './engine-configuration.ts';

/** What `["EVENT",` and `]` add to an event in a message. */
const ENVELOPE_BYTES = 10;

/** What `["EVENT","…",` and `]` add to an event for a subscriber: 64 characters escaped at worst. */
const ANSWER_ENVELOPE_BYTES = 12 + 64 * 6;

/** Cloud Run cuts a request, and so a socket, after an hour; ours end themselves before that. */
const CLOUD_RUN_CONNECTION_MINUTES = 58;

const RATES = DEFAULT_RATE_LIMITS;

const text = (max: number) =>
  z
    .string()
    .max(max)
    .refine((value) => value.isWellFormed())
    .optional();
const webAddress = () => z.url({ protocol: /^https?$/ }).optional();

/** What the relay says of itself (NIP-11, and the page for people). */
const identityVariables = {
  RELAY_NAME: text(100)
    .default('Distrise')
    .describe('the name shown to people, up to 100 characters (clients may cut after 30)'),
  RELAY_DESCRIPTION: text(10_000)
    .default('A Nostr relay')
    .describe('plain text about the relay, up to 10000 characters'),
  RELAY_PUBKEY: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional()
    .describe("the operator's public key: 64 lowercase hex characters"),
  RELAY_CONTACT: text(1_000).describe('another way to reach the operator, such as mailto:…'),
  RELAY_ICON: webAddress().describe('the http(s) address of a square picture'),
  RELAY_BANNER: webAddress().describe('the http(s) address of a wide picture'),
  RELAY_TERMS: webAddress().describe('the http(s) address of the terms of service'),
};

/** What one message may hold, beside the rules on events. */
const messageVariables = {
  RELAY_MESSAGE_BYTES_MAX: wholeNumber(1_024, 16_777_216, 262_400).describe(
    'bytes of one message from a client: EVENT_BYTES_MAX + 10 to 16777216',
  ),
};

/** What one REQ may ask. */
const filterVariables = {
  RELAY_SUBSCRIPTIONS_MAX: wholeNumber(1, 10_000, 100).describe(
    'open subscriptions of one connection: 1 to 10000',
  ),
  RELAY_FILTERS_MAX: wholeNumber(1, 1_000, 20).describe('filters of one REQ: 1 to 1000'),
  RELAY_FILTER_IDS_MAX: wholeNumber(1, 10_000, 1_000).describe('ids of one filter: 1 to 10000'),
  RELAY_FILTER_AUTHORS_MAX: wholeNumber(1, 10_000, 1_000).describe(
    'authors of one filter: 1 to 10000',
  ),
  RELAY_FILTER_KINDS_MAX: wholeNumber(1, 10_000, 100).describe('kinds of one filter: 1 to 10000'),
  RELAY_FILTER_TAG_VALUES_MAX: wholeNumber(1, 10_000, 500).describe(
    'values of one tag condition of a filter: 1 to 10000',
  ),
  RELAY_FILTER_TAGS_MAX: wholeNumber(1, 52, 10).describe('tag conditions of one filter: 1 to 52'),
  RELAY_REQUEST_VALUES_MAX: wholeNumber(1, 100_000, 5_000).describe(
    'ids, authors and tag values of all filters of one REQ: 1 to 100000',
  ),
};

/** How much may be compared by negentropy (NIP-77). */
const negentropyVariables = {
  RELAY_NEGENTROPY: oneOf(['on', 'off'], 'on').describe(
    'on or off: negentropy (NIP-77), by which others learn cheaply what they lack',
  ),
  RELAY_NEGENTROPY_SESSIONS_MAX: wholeNumber(1, 1_000, 10).describe(
    'negentropy sessions of one connection: 1 to 1000',
  ),
  RELAY_NEGENTROPY_ITEMS_MAX: wholeNumber(1, 50_000_000, 1_000_000).describe(
    'events that the filter of one session may match, 41 bytes of memory each: 1 to 50000000',
  ),
  RELAY_NEGENTROPY_TOTAL_ITEMS_MAX: wholeNumber(1, 200_000_000, 2_000_000).describe(
    'the same for all sessions together: RELAY_NEGENTROPY_ITEMS_MAX to 200000000',
  ),
  RELAY_NEGENTROPY_FRAME_BYTES_MAX: wholeNumber(4_096, 1_000_000, 131_072).describe(
    'bytes of one answer, before it is written in hex: 4096 to 1000000',
  ),
  RELAY_NEGENTROPY_IDLE_SECONDS: wholeNumber(1, 3_600, 120).describe(
    'seconds that a session waits for its client: 1 to 3600',
  ),
  RELAY_NEGENTROPY_GATHER_SECONDS: wholeNumber(1, 600, 60).describe(
    'seconds that finding what the filter matches may take: 1 to 600',
  ),
};

/** What one connection, one address and one process may hold. */
const connectionVariables = {
  RELAY_CONNECTIONS_MAX: wholeNumber(1, 20_000, 1_000).describe(
    'connections of one instance, further ones get HTTP 503: 1 to 20000 (Cloud Run sends 1000)',
  ),
  RELAY_CONNECTIONS_PER_ADDRESS: wholeNumber(0, 20_000, 20).describe(
    'connections from one address, further ones get HTTP 429: 1 to 20000, or 0 for any number',
  ),
  RELAY_TRUSTED_PROXIES: wholeNumber(0, 10, 0).describe(
    'how many proxies in front append to X-Forwarded-For: 0 to 10; on Cloud Run 1 by default',
  ),
  RELAY_EVENTS_IN_FLIGHT_MAX: wholeNumber(1, 10_000, 256).describe(
    'unanswered EVENTs of one connection before it is read no further: 1 to 10000',
  ),
  RELAY_SEND_BYTES_MAX: wholeNumber(65_536, 1_073_741_824, 8_388_608).describe(
    'bytes that wait for a client before it is closed as too slow: 65536 to 1073741824',
  ),
  RELAY_ANSWER_BYTES_MAX: wholeNumber(65_536, 1_073_741_824, 67_108_864).describe(
    'bytes of stored answers that wait for a client: RELAY_SEND_BYTES_MAX to 1073741824',
  ),
  RELAY_SEND_TOTAL_BYTES_MAX: wholeNumber(1_048_576, 17_179_869_184, 268_435_456).describe(
    'bytes that wait for all clients together: RELAY_ANSWER_BYTES_MAX to 17179869184',
  ),
  RELAY_PING_SECONDS: wholeNumber(1, 3_600, 30).describe('seconds between two pings: 1 to 3600'),
  RELAY_IDLE_SECONDS: wholeNumber(1, 86_400, 300).describe(
    'seconds without a subscription or a message before a connection is closed: 1 to 86400',
  ),
  RELAY_CONNECTION_MINUTES: wholeNumber(0, 10_080, 0).describe(
    'minutes that a connection lasts, each up to an eighth shorter by chance: 1 to 10080, or 0 ' +
      `for no end; on Cloud Run ${CLOUD_RUN_CONNECTION_MINUTES} by default`,
  ),
  RELAY_COMPRESSION: oneOf(['on', 'off'], 'off').describe(
    'on or off: permessage-deflate, which saves traffic and costs memory and CPU',
  ),
};

/** How fast one address or one key may go. */
const rateVariables = {
  RELAY_RATE_LIMITS: oneOf(['on', 'off'], 'on').describe(
    'on or off: everything that is counted by address or key, connections included',
  ),
  RELAY_EVENTS_PER_SECOND: wholeNumber(1, 100_000, RATES.eventsByAddress.perSecond).describe(
    'EVENTs a second from one address: 1 to 100000',
  ),
  RELAY_EVENTS_BURST: wholeNumber(1, 1_000_000, RATES.eventsByAddress.burst).describe(
    'EVENTs at once from one address after a rest: 1 to 1000000',
  ),
  RELAY_KEY_EVENTS_PER_MINUTE: wholeNumber(1, 1_000_000, RATES.eventsByKey.perSecond * 60).describe(
    'events a minute by one public key: 1 to 1000000',
  ),
  RELAY_KEY_VERSIONS_PER_MINUTE: wholeNumber(
    1,
    1_000_000,
    RATES.versionsByKey.perSecond * 60,
  ).describe('replaceable events a minute by one public key: 1 to 1000000'),
  RELAY_REQUESTS_PER_SECOND: wholeNumber(1, 100_000, RATES.requestsByAddress.perSecond).describe(
    'REQs a second from one address: 1 to 100000',
  ),
  RELAY_REQUESTS_BURST: wholeNumber(1, 1_000_000, RATES.requestsByAddress.burst).describe(
    'REQs at once from one address after a rest: 1 to 1000000',
  ),
};

const platformVariables = {
  PORT: wholeNumber(0, 65_535, 8080).describe('the port to listen on: 1 to 65535, or 0 for any'),
  RELAY_LISTEN_ADDRESS: z
    .union([z.ipv4(), z.ipv6()])
    .optional()
    .describe('the IP address to listen on; all by default'),
};

/** What is left of the limits while the budget's step `limits` holds. */
const budgetVariables = {
  BUDGET_LIMITS_PERCENT: wholeNumber(1, 100, 25).describe(
    "percent of LIMIT_MAX, LIMIT_DEFAULT, RELAY_SUBSCRIPTIONS_MAX and the rates while the budget's step limits holds: 1 to 100",
  ),
};

/** Every variable that the relay reads; the descriptions say what is allowed. */
export const relayVariables = {
  ...identityVariables,
  ...messageVariables,
  ...writeVariables(wholeNumber),
  ...filterVariables,
  ...negentropyVariables,
  ...connectionVariables,
  ...rateVariables,
  ...budgetVariables,
  ...eventVariables,
  ...platformVariables,
  ...engineVariables,
  ...postgresVariables,
  ...replicaVariables,
  ...pubsubVariables,
  ...logVariables,
  ...metricsVariables,
};

/** The relay's variables one by one; rules between them are in `parseRelayConfiguration`. */
export const relaySchema = z.object(relayVariables);

export type RelayConfiguration = z.infer<typeof relaySchema>;

type NumberVariable = {
  [Name in keyof RelayConfiguration]-?: RelayConfiguration[Name] extends number ? Name : never;
}[keyof RelayConfiguration];

/** Pairs of variables where the first must be at least the second and some bytes more. */
const ORDERED: readonly (readonly [NumberVariable, NumberVariable, number])[] = [
  ['RELAY_MESSAGE_BYTES_MAX', 'EVENT_BYTES_MAX', ENVELOPE_BYTES],
  ['RELAY_CONTENT_LONG_MAX', 'RELAY_CONTENT_MAX', 0],
  ['RELAY_TAGS_LONG_MAX', 'RELAY_TAGS_MAX', 0],
  ['LIMIT_MAX', 'LIMIT_DEFAULT', 0],
  ['REQUEST_EVENTS_MAX', 'LIMIT_MAX', 0],
  ['ANSWERS_BYTES_MAX', 'ANSWER_BYTES_MAX', 0],
  ['RELAY_NEGENTROPY_TOTAL_ITEMS_MAX', 'RELAY_NEGENTROPY_ITEMS_MAX', 0],
  ['RELAY_SEND_BYTES_MAX', 'EVENT_BYTES_MAX', ANSWER_ENVELOPE_BYTES],
  ['RELAY_ANSWER_BYTES_MAX', 'RELAY_SEND_BYTES_MAX', 0],
  ['RELAY_SEND_TOTAL_BYTES_MAX', 'RELAY_ANSWER_BYTES_MAX', 0],
  ['RELAY_EVENTS_BURST', 'RELAY_EVENTS_PER_SECOND', 0],
  ['RELAY_REQUESTS_BURST', 'RELAY_REQUESTS_PER_SECOND', 0],
];

type Environment = Readonly<Record<string, string | undefined>>;

/** Parses the relay's environment, rules between variables included; all mistakes at once. */
export function parseRelayConfiguration(env: Environment): ConfigurationResult<RelayConfiguration> {
  const given = withPlatformDefaults(env);
  const parsed = parseConfiguration(relaySchema, given);
  const faults = [...(parsed.ok ? [] : [parsed.reason]), ...faultsInOrder(given)];
  return parsed.ok && faults.length === 0 ? parsed : { ok: false, reason: faults.join('\n') };
}

/** On Cloud Run one proxy is always in front, and a socket must end before Cloud Run ends it. */
function withPlatformDefaults(env: Environment): Environment {
  const { K_SERVICE, RELAY_TRUSTED_PROXIES, RELAY_CONNECTION_MINUTES } = env;
  if (!K_SERVICE) return env;
  return {
    ...env,
    RELAY_TRUSTED_PROXIES: RELAY_TRUSTED_PROXIES || '1',
    RELAY_CONNECTION_MINUTES: RELAY_CONNECTION_MINUTES || String(CLOUD_RUN_CONNECTION_MINUTES),
  };
}

/** Variables that are right alone but not beside each other, one line each. */
function faultsInOrder(env: Environment): string[] {
  const faults: string[] = [];
  for (const [larger, smaller, by] of ORDERED) {
    const [high, low] = [valueAlone(larger, env), valueAlone(smaller, env)];
    if (high === undefined || low === undefined || high >= low + by) continue;
    const least = by === 0 ? smaller : `${smaller} + ${by}`;
    faults.push(`${larger}: given "${high}", allowed ${least} = ${low + by} or more`);
  }
  return faults;
}

function valueAlone(name: NumberVariable, env: Environment): number | undefined {
  const parsed = relayVariables[name].safeParse(env[name] || undefined);
  return parsed.success ? parsed.data : undefined;
}
