import { PubSub, v1 } from '@google-cloud/pubsub';
import type { PubSubConfiguration } from './configuration.ts';

/** Said outright, or the client looks for credentials only to learn which cloud it is in. */
const NO_LOOKUP = { clientOptions: { universeDomain: 'googleapis.com' } };

/**
 * Opens the Pub/Sub client. With `PUBSUB_EMULATOR_HOST` it speaks plain text to that address and
 * asks nobody for credentials; else the platform's own credentials apply. Opens no connection yet.
 */
export function openPubSub(
  configuration: Pick<PubSubConfiguration, 'GOOGLE_CLOUD_PROJECT' | 'PUBSUB_EMULATOR_HOST'>,
): PubSub {
  const local = configuration.PUBSUB_EMULATOR_HOST;
  return new PubSub({
    projectId: configuration.GOOGLE_CLOUD_PROJECT,
    ...(local === undefined ? {} : { apiEndpoint: local, emulatorMode: true, ...NO_LOOKUP }),
  });
}

/** A topic's full name; a name that is already full stays as it is. */
export const topicPath = (project: string, topic: string): string =>
  topic.includes('/') ? topic : `projects/${project}/topics/${topic}`;

/** A subscription's full name; a name that is already full stays as it is. */
export const subscriptionPath = (project: string, subscription: string): string =>
  subscription.includes('/') ? subscription : `projects/${project}/subscriptions/${subscription}`;

/** What `pubsub`'s own connections are made with, for the generated clients under it. */
export async function generatedClientOptions(pubsub: PubSub): Promise<ClientOptions> {
  // The two packages describe the same options in types that differ in `undefined` only.
  return (await pubsub.getClientConfig()) as ClientOptions;
}

type ClientOptions = NonNullable<ConstructorParameters<typeof v1.PublisherClient>[0]>;

/**
 * gRPC statuses after which the same publish may succeed: the set that Pub/Sub's own clients retry
 * (ABORTED, CANCELLED, INTERNAL, RESOURCE_EXHAUSTED, UNKNOWN, UNAVAILABLE, DEADLINE_EXCEEDED).
 */
const PUBLISH_RETRY_CODES = [10, 1, 13, 8, 2, 14, 4];

/**
 * One attempt may take so long before the next begins: long enough for a slow answer, short
 * enough that a connection that died in silence leaves time for another within the deadline.
 */
const ATTEMPT_TIMEOUT_MS = 4_000;

/** Publishes single messages without the high-level client's queues and timers. */
export interface RawPublisher {
  /**
   * Resolves with the message's id when Pub/Sub has acknowledged; rejects after `timeoutMs` at the
   * latest.
   */
  publish(
    data: Buffer,
    attributes: Readonly<Record<string, string>>,
    timeoutMs: number,
  ): Promise<string>;
  close(): Promise<void>;
}

/**
 * Opens a publisher of single messages on one topic. It retries what may pass, within the caller's
 * deadline. The underlying client is made at the first publish.
 */
export function openRawPublisher(pubsub: PubSub, topic: string): RawPublisher {
  let opening: Promise<{ client: v1.PublisherClient; path: string }> | undefined;
  const open = async () => {
    const client = new v1.PublisherClient(await generatedClientOptions(pubsub));
    return { client, path: topicPath(pubsub.projectId, topic) };
  };
  return {
    async publish(data, attributes, timeoutMs) {
      opening ??= open();
      // A client that could not be made (no credentials yet) is tried anew by the next publish.
      opening.catch(() => {
        opening = undefined;
      });
      const { client, path } = await opening;
      const [{ messageIds }] = await client.publish(
        { topic: path, messages: [{ data, attributes }] },
        { retry: retryWithin(timeoutMs) },
      );
      return messageIds?.[0] ?? '';
    },
    async close() {
      const opened = await opening?.catch(() => undefined);
      await opened?.client.close();
    },
  };
}

function retryWithin(timeoutMs: number) {
  const attemptMs = Math.min(ATTEMPT_TIMEOUT_MS, timeoutMs);
  return {
    retryCodes: PUBLISH_RETRY_CODES,
    backoffSettings: {
      initialRetryDelayMillis: 100,
      retryDelayMultiplier: 1.5,
      maxRetryDelayMillis: 1_000,
      initialRpcTimeoutMillis: attemptMs,
      rpcTimeoutMultiplier: 1,
      maxRpcTimeoutMillis: attemptMs,
      totalTimeoutMillis: timeoutMs,
    },
  };
}
