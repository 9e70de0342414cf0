import { parseFilter } from './filter.ts';
import { limits } from './limits.ts';
import { DELETED_TOPIC, parseName } from './names.ts';
import { invalidArgument, notOffered, tooLarge, tooSmall } from './status.ts';
import {
  type Duration,
  durationMs,
  type PushConfig,
  type WireSubscription,
  type WireTopic,
} from './wire.ts';

/** A topic as it is stored and given back. */
export interface TopicDefinition {
  readonly name: string;
  readonly state: 'ACTIVE';
  readonly labels: Readonly<Record<string, string>>;
  readonly messageRetentionDuration?: Duration;
}

/** A subscription as it is stored and given back, defaults filled in. */
export interface SubscriptionDefinition extends WireSubscription {
  readonly name: string;
  readonly topic: string;
  readonly pushConfig: PushConfig;
  readonly ackDeadlineSeconds: number;
  readonly messageRetentionDuration: Duration;
  readonly expirationPolicy: { readonly ttl?: Duration };
  readonly filter: string;
  readonly state: 'ACTIVE';
}

/** Google's defaults: 7 days of retention, 31 days without use before a subscription expires. */
const RETENTION_SECONDS = 604_800;
const EXPIRATION_SECONDS = 2_678_400;

/** Checks a topic that is to be made or changed; throws INVALID_ARGUMENT or UNIMPLEMENTED. */
export function parseTopic(topic: WireTopic): TopicDefinition {
  const { name = '', labels = {}, messageRetentionDuration } = topic;
  parseName(name, 'topics');
  if (topic.schemaSettings !== undefined) throw notOffered('schemas');
  if (topic.ingestionDataSourceSettings !== undefined) throw notOffered('ingestion');
  if ((topic.messageTransforms?.length ?? 0) > 0) throw notOffered('message transforms');
  if (messageRetentionDuration === undefined) return { name, labels, state: 'ACTIVE' };
  checkRetention(messageRetentionDuration);
  return { name, labels, messageRetentionDuration, state: 'ACTIVE' };
}

/** Checks a subscription that is to be made or changed; throws INVALID_ARGUMENT or UNIMPLEMENTED. */
export function parseSubscription(given: WireSubscription): SubscriptionDefinition {
  const { name = '', topic = '' } = given;
  parseName(name, 'subscriptions');
  if (topic !== DELETED_TOPIC) parseName(topic, 'topics');
  refuseWhatIsNotOffered(given);
  const {
    pushConfig = {},
    labels = {},
    filter = '',
    retainAckedMessages = false,
    messageRetentionDuration = { seconds: RETENTION_SECONDS },
    expirationPolicy = { ttl: { seconds: EXPIRATION_SECONDS } },
  } = given;
  checkPush(pushConfig);
  checkRetention(messageRetentionDuration);
  checkExpiration(expirationPolicy.ttl);
  parseFilter(filter);
  const { deadLetterPolicy, retryPolicy } = given;
  return {
    name,
    topic,
    pushConfig,
    labels,
    filter,
    retainAckedMessages,
    messageRetentionDuration,
    expirationPolicy,
    state: 'ACTIVE',
    ackDeadlineSeconds: ackDeadline(given.ackDeadlineSeconds ?? 0),
    ...(deadLetterPolicy?.deadLetterTopic
      ? { deadLetterPolicy: deadLetter(deadLetterPolicy) }
      : {}),
    ...(retryPolicy === undefined ? {} : { retryPolicy: retry(retryPolicy) }),
  };
}

function refuseWhatIsNotOffered(given: WireSubscription): void {
  if (given.enableMessageOrdering) throw notOffered('ordered delivery');
  if (given.enableExactlyOnceDelivery) throw notOffered('exactly-once delivery');
  if (given.bigqueryConfig !== undefined) throw notOffered('BigQuery subscriptions');
  if (given.cloudStorageConfig !== undefined) throw notOffered('Cloud Storage subscriptions');
  if (given.bigtableConfig !== undefined) throw notOffered('Bigtable subscriptions');
  if ((given.messageTransforms?.length ?? 0) > 0) throw notOffered('message transforms');
}

function checkPush(config: PushConfig): void {
  if (config.noWrapper !== undefined) throw notOffered('unwrapped push messages');
  const endpoint = config.pushEndpoint ?? '';
  if (endpoint === '') return;
  const url = URL.parse(endpoint);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw invalidArgument(`Invalid push endpoint given (endpoint=${endpoint}).`);
  }
}

function ackDeadline(seconds: number): number {
  if (seconds === 0) return limits.ackDeadlineSecondsMin;
  checkRange(
    'ack_deadline_seconds',
    seconds,
    limits.ackDeadlineSecondsMin,
    limits.ackDeadlineSecondsMax,
  );
  return seconds;
}

const seconds = (duration: Duration): number => (durationMs(duration) ?? 0) / 1_000;

function checkRetention(duration: Duration): void {
  checkRange(
    'message_retention_duration',
    seconds(duration),
    limits.retentionSecondsMin,
    limits.retentionSecondsMax,
  );
}

function checkExpiration(ttl: Duration | undefined): void {
  if (ttl === undefined) return;
  const given = seconds(ttl);
  if (given < limits.expirationSecondsMin) {
    throw tooSmall('expiration_policy.ttl', given, limits.expirationSecondsMin);
  }
}

function deadLetter(policy: NonNullable<WireSubscription['deadLetterPolicy']>) {
  const attempts = policy.maxDeliveryAttempts ?? 0;
  const maxDeliveryAttempts = attempts === 0 ? limits.deliveryAttemptsMin : attempts;
  parseName(policy.deadLetterTopic ?? '', 'topics');
  checkRange(
    'max_delivery_attempts',
    maxDeliveryAttempts,
    limits.deliveryAttemptsMin,
    limits.deliveryAttemptsMax,
  );
  return { ...policy, maxDeliveryAttempts };
}

/** Google's defaults within a policy: 10 s, and 600 s. */
function retry(policy: NonNullable<WireSubscription['retryPolicy']>) {
  const minimumBackoff = policy.minimumBackoff ?? { seconds: 10 };
  const maximumBackoff = policy.maximumBackoff ?? { seconds: 600 };
  checkRange('minimum_backoff', seconds(minimumBackoff), 0, limits.backoffSecondsMax);
  checkRange('maximum_backoff', seconds(maximumBackoff), 0, limits.backoffSecondsMax);
  if (seconds(minimumBackoff) > seconds(maximumBackoff)) {
    throw invalidArgument('The minimum backoff must not be greater than the maximum backoff.');
  }
  return { minimumBackoff, maximumBackoff };
}

function checkRange(what: string, given: number, min: number, max: number): void {
  if (given < min) throw tooSmall(what, given, min);
  if (given > max) throw tooLarge(what, given, max);
}
