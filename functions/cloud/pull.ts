import { type PubSub, v1 } from '@google-cloud/pubsub';
import { generatedClientOptions, subscriptionPath, topicPath } from './pubsub.ts';

/** A message that waits for its acknowledgement. */
export interface PulledMessage {
  readonly ackId: string;
  readonly messageId: string;
  readonly data: Buffer;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Reads a subscription by single requests, for scheduled work. */
export interface Puller {
  /** The next messages, at most `max`; empty when none came within a few seconds. */
  pull(max: number): Promise<readonly PulledMessage[]>;
  acknowledge(ackIds: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/** Pub/Sub holds a pull open until a message comes; by then it is known that none waits. */
const PULL_TIMEOUT_MS = 4_000;
const DEADLINE_EXCEEDED = 4;

/** Opens a puller on a subscription that exists. */
export async function openPuller(pubsub: PubSub, subscription: string): Promise<Puller> {
  const client = new v1.SubscriberClient(await generatedClientOptions(pubsub));
  const name = subscriptionPath(pubsub.projectId, subscription);
  return {
    async pull(max) {
      try {
        const [response] = await client.pull(
          { subscription: name, maxMessages: max },
          { timeout: PULL_TIMEOUT_MS, maxRetries: 0 },
        );
        return (response.receivedMessages ?? []).map(pulled);
      } catch (error) {
        if ((error as { code?: unknown }).code === DEADLINE_EXCEEDED) return [];
        throw error;
      }
    },
    async acknowledge(ackIds) {
      if (ackIds.length > 0) await client.acknowledge({ subscription: name, ackIds: [...ackIds] });
    },
    close: () => client.close(),
  };
}

/** As the wire has it. */
interface Received {
  readonly ackId?: string | null;
  readonly message?: {
    readonly messageId?: string | null;
    readonly data?: Uint8Array | string | null;
    readonly attributes?: Record<string, string> | null;
  } | null;
}

const pulled = ({ ackId, message }: Received): PulledMessage => ({
  ackId: ackId ?? '',
  messageId: message?.messageId ?? '',
  data: Buffer.from((message?.data as Uint8Array | null) ?? []),
  attributes: message?.attributes ?? {},
});

/** What waits in a subscription, without taking it away. */
export interface Waiting {
  readonly messages: readonly PulledMessage[];
  /** False where there may be more than was asked for. */
  readonly all: boolean;
}

const PEEK_TIMEOUT_MS = 10_000;

/**
 * Looks at what waits in a subscription and gives it back at once. Who else pulls at this moment may
 * get nothing; Pub/Sub may hold back some itself, so this is the least there is.
 */
export async function peek(pubsub: PubSub, subscription: string, max: number): Promise<Waiting> {
  const client = new v1.SubscriberClient(await generatedClientOptions(pubsub));
  const name = subscriptionPath(pubsub.projectId, subscription);
  try {
    const [response] = await client.pull(
      { subscription: name, maxMessages: max, returnImmediately: true },
      { timeout: PEEK_TIMEOUT_MS, maxRetries: 0 },
    );
    const messages = (response.receivedMessages ?? []).map(pulled);
    const ackIds = messages.map(({ ackId }) => ackId);
    if (ackIds.length > 0) {
      await client.modifyAckDeadline({ subscription: name, ackIds, ackDeadlineSeconds: 0 });
    }
    return { messages, all: messages.length < max };
  } finally {
    await client.close();
  }
}

/** The subscriptions of a topic, for those who look after them. */
export interface TopicSubscriptions {
  /** Their short names. */
  list(): Promise<string[]>;
  /** Deletes one; that it is gone already is no error. */
  remove(subscription: string): Promise<void>;
  close(): Promise<void>;
}

const NOT_FOUND = 5;

/** Opens the list of a topic's subscriptions. */
export async function openTopicSubscriptions(
  pubsub: PubSub,
  topic: string,
): Promise<TopicSubscriptions> {
  const options = await generatedClientOptions(pubsub);
  const publisher = new v1.PublisherClient(options);
  const subscriber = new v1.SubscriberClient(options);
  return {
    async list() {
      const [names] = await publisher.listTopicSubscriptions({
        topic: topicPath(pubsub.projectId, topic),
      });
      return names.map((name) => name.slice(name.lastIndexOf('/') + 1));
    },
    async remove(subscription) {
      try {
        const path = subscriptionPath(pubsub.projectId, subscription);
        await subscriber.deleteSubscription({ subscription: path });
      } catch (error) {
        if ((error as { code?: unknown }).code !== NOT_FOUND) throw error;
      }
    },
    async close() {
      await Promise.all([publisher.close(), subscriber.close()]);
    },
  };
}
