import type { ServerDuplexStream, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Log } from '../../cloud/log.ts';
import { invalidArgument, unary } from '../grpc.ts';
import { parseMessages } from './message.ts';
import { pull } from './pull.ts';
import { type StreamingPullResponse, serveStreamingPull } from './streaming-pull.ts';
import type { Subscriptions } from './subscriptions.ts';
import type { Topics } from './topics.ts';
import type {
  PageRequest,
  PushConfig,
  StreamingPullRequest,
  UpdateMask,
  WireMessage,
  WireSubscription,
  WireTopic,
} from './wire.ts';

interface Named {
  readonly topic?: string;
  readonly subscription?: string;
}

interface AckRequest {
  readonly subscription?: string;
  readonly ackIds?: readonly string[];
  readonly ackDeadlineSeconds?: number;
}

interface PullRequest {
  readonly subscription?: string;
  readonly maxMessages?: number;
  readonly returnImmediately?: boolean;
}

/** google.pubsub.v1.Publisher. Methods that are missing here answer UNIMPLEMENTED. */
export function publisherService(
  topics: Topics,
  subscriptions: Subscriptions,
  log: Log,
): UntypedServiceImplementation {
  return {
    createTopic: unary<WireTopic>(log, (topic) => topics.create(topic)),
    getTopic: unary<Named>(log, ({ topic = '' }) => topics.get(topic)),
    updateTopic: unary<{ topic?: WireTopic; updateMask?: UpdateMask }>(
      log,
      ({ topic = {}, updateMask }) => topics.update(topic, updateMask?.paths ?? []),
    ),
    listTopics: unary<PageRequest>(log, (request) => {
      const { items, nextPageToken } = topics.list(request);
      return { topics: items, nextPageToken };
    }),
    listTopicSubscriptions: unary<PageRequest>(log, (request) => {
      const { items, nextPageToken } = topics.subscriptionNames(request);
      return { subscriptions: items, nextPageToken };
    }),
    deleteTopic: unary<Named>(log, ({ topic = '' }) => {
      topics.remove(topic, (subscription) => subscriptions.orphan(subscription));
      return {};
    }),
    publish: unary<{ topic?: string; messages?: readonly WireMessage[] }>(
      log,
      async ({ topic = '', messages = [] }) => {
        topics.get(topic);
        return { messageIds: await topics.publish(topic, parseMessages(messages)) };
      },
    ),
  };
}

/** google.pubsub.v1.Subscriber. Snapshots and Seek are missing and answer UNIMPLEMENTED. */
export function subscriberService(
  subscriptions: Subscriptions,
  log: Log,
): UntypedServiceImplementation {
  return {
    createSubscription: unary<WireSubscription>(log, (given) => subscriptions.create(given)),
    getSubscription: unary<Named>(
      log,
      ({ subscription = '' }) => subscriptions.get(subscription).definition,
    ),
    updateSubscription: unary<{ subscription?: WireSubscription; updateMask?: UpdateMask }>(
      log,
      ({ subscription = {}, updateMask }) =>
        subscriptions.update(subscription, updateMask?.paths ?? []),
    ),
    listSubscriptions: unary<PageRequest>(log, (request) => {
      const { items, nextPageToken } = subscriptions.list(request);
      return { subscriptions: items, nextPageToken };
    }),
    deleteSubscription: unary<Named>(log, ({ subscription = '' }) => {
      subscriptions.remove(subscription);
      return {};
    }),
    modifyPushConfig: unary<{ subscription?: string; pushConfig?: PushConfig }>(
      log,
      ({ subscription = '', pushConfig = {} }) => {
        subscriptions.modifyPushConfig(subscription, pushConfig);
        return {};
      },
    ),
    acknowledge: unary<AckRequest>(log, ({ subscription = '', ackIds = [] }) => {
      subscriptions.get(subscription).acknowledge(needAckIds(ackIds));
      return {};
    }),
    modifyAckDeadline: unary<AckRequest>(
      log,
      ({ subscription = '', ackIds = [], ackDeadlineSeconds = 0 }) => {
        subscriptions.get(subscription).modifyAckDeadline(needAckIds(ackIds), ackDeadlineSeconds);
        return {};
      },
    ),
    pull: unary<PullRequest>(
      log,
      async ({ subscription = '', maxMessages = 0, returnImmediately = false }, call) => {
        const found = subscriptions.getForPull(subscription);
        if (maxMessages <= 0) {
          throw invalidArgument(
            `Invalid max_messages given (max_messages=${maxMessages}): it must be greater than 0.`,
          );
        }
        return {
          receivedMessages: await pull(found, maxMessages, call, { returnImmediately }),
        };
      },
    ),
    streamingPull: (call: ServerDuplexStream<StreamingPullRequest, StreamingPullResponse>) =>
      serveStreamingPull(call, (name) => subscriptions.getForPull(name)),
  };
}

function needAckIds(ackIds: readonly string[]): readonly string[] {
  if (ackIds.length === 0) throw invalidArgument('No ack ids specified.');
  return ackIds;
}
