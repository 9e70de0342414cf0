import type { PubSub } from '@google-cloud/pubsub';

export interface TopicsOptions {
  readonly pubsub: PubSub;
  /** Names as the services have them: TOPIC_INCOMING and so on. */
  readonly incoming: string;
  readonly incomingDead: string;
  readonly stored: string;
  readonly fetch: string;
  readonly budget: string;
  /** Where the store function takes what is pushed. */
  readonly storeUrl: string;
  /** Where the fetch function takes its pieces of work. */
  readonly fetchUrl: string;
  /** Where upkeep takes notifications of the budget. */
  readonly upkeepUrl: string;
}

type SubscriptionSettings = NonNullable<Parameters<PubSub['createSubscription']>[2]>;

/** A week, as in the cloud: an outage may be long. */
const retention = { messageRetentionDuration: { seconds: 7 * 86_400 } };
/** Without an end: a machine that was off for a month must find its backlog. */
const never = { expirationPolicy: {} };

/** Makes what is missing, as Terraform does in the cloud, and leads the push to this run's port. */
export async function makeTopics(options: TopicsOptions): Promise<void> {
  const { pubsub, incoming, incomingDead, stored, storeUrl, fetch, fetchUrl } = options;
  const { budget, upkeepUrl } = options;
  const topics = [incoming, incomingDead, stored, fetch, budget];
  await Promise.all(topics.map((name) => makeTopic(pubsub, name)));
  const deadLetterTopic = `projects/${pubsub.projectId}/topics/${incomingDead}`;
  await Promise.all([
    makeSubscription(pubsub, incoming, `${incoming}-store`, {
      pushConfig: { pushEndpoint: storeUrl },
      ackDeadlineSeconds: 60,
      // Shorter than the cloud's second and minute: here everything comes back quickly, and nobody
      // else is hurt by another try.
      retryPolicy: { minimumBackoff: { nanos: 100_000_000 }, maximumBackoff: { seconds: 2 } },
      deadLetterPolicy: { deadLetterTopic, maxDeliveryAttempts: 100 },
      ...retention,
      ...never,
    }),
    makeSubscription(pubsub, fetch, `${fetch}-work`, {
      pushConfig: { pushEndpoint: fetchUrl },
      // Twice what a piece takes at most: one that is delivered again finds its source leased.
      ackDeadlineSeconds: 600,
      // A piece that is not done by then is handed out anew by the scheduler.
      messageRetentionDuration: { seconds: 600 },
      ...never,
    }),
    makeSubscription(pubsub, budget, `${budget}-upkeep`, {
      pushConfig: { pushEndpoint: upkeepUrl },
      ackDeadlineSeconds: 60,
      // The next notification says more than an old one.
      retryPolicy: { minimumBackoff: { seconds: 1 }, maximumBackoff: { seconds: 60 } },
      messageRetentionDuration: { seconds: 86_400 },
      ...never,
    }),
    makeSubscription(pubsub, incomingDead, `${incomingDead}-replay`, {
      ackDeadlineSeconds: 60,
      ...retention,
      ...never,
    }),
  ]);
  await Promise.all([
    pubsub.subscription(`${incoming}-store`).modifyPushConfig({ pushEndpoint: storeUrl }),
    pubsub.subscription(`${fetch}-work`).modifyPushConfig({ pushEndpoint: fetchUrl }),
    pubsub.subscription(`${budget}-upkeep`).modifyPushConfig({ pushEndpoint: upkeepUrl }),
  ]);
}

async function makeTopic(pubsub: PubSub, name: string): Promise<void> {
  await unlessThere(pubsub.createTopic(name));
}

async function makeSubscription(
  pubsub: PubSub,
  topic: string,
  name: string,
  settings: SubscriptionSettings,
): Promise<void> {
  await unlessThere(pubsub.createSubscription(topic, name, settings));
}

async function unlessThere(made: Promise<unknown>): Promise<void> {
  try {
    await made;
  } catch (error) {
    if ((error as { code?: number }).code !== 6 /* ALREADY_EXISTS */) throw error;
  }
}
