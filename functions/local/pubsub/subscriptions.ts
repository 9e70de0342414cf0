import type { Log } from '../../cloud/log.ts';
import { removeBacklog } from './backlog.ts';
import type { Commits } from './commits.ts';
import { parseSubscription, type SubscriptionDefinition } from './definition.ts';
import type { Message } from './message.ts';
import { publishedAtMs } from './message.ts';
import { collectionPrefix, DELETED_TOPIC, parseName } from './names.ts';
import { type Page, page } from './page.ts';
import { PushSender } from './push.ts';
import {
  alreadyExists,
  failedPrecondition,
  invalidArgument,
  notFound,
  type StatusError,
} from './status.ts';
import type { Storage } from './storage.ts';
import { Subscription } from './subscription.ts';
import type { Topics } from './topics.ts';
import type { PageRequest, PushConfig, WireSubscription } from './wire.ts';

export interface SubscriptionsOptions {
  /** Ids of the topics whose subscriptions are kept on disk. */
  readonly durable: ReadonlySet<string>;
  readonly storage: Storage;
  /** For what subscriptions in memory cannot hold. */
  readonly overflow: Storage;
  readonly commits: Commits;
  readonly topics: Topics;
  readonly log: Log;
}

/** What UpdateSubscription may change, from the name in the mask to ours. */
const CHANGEABLE: Readonly<Record<string, keyof WireSubscription>> = {
  ack_deadline_seconds: 'ackDeadlineSeconds',
  dead_letter_policy: 'deadLetterPolicy',
  expiration_policy: 'expirationPolicy',
  labels: 'labels',
  message_retention_duration: 'messageRetentionDuration',
  push_config: 'pushConfig',
  retain_acked_messages: 'retainAckedMessages',
  retry_policy: 'retryPolicy',
};

/** The subscriptions: their definitions, their push senders, and the way to the dead letters. */
export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  readonly #subscriptions = new Map<string, Subscription>();
  /** Numbers in the overflow file; it is empty at start. */
  #volatileNumber = 0;

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
    const { storage } = options;
    for (const { number, definition } of storage.subscriptions()) this.#open(definition, number);
    for (const number of storage.orphanedBacklogs()) removeBacklog(storage, number);
  }

  create(given: WireSubscription): SubscriptionDefinition {
    const definition = parseSubscription(given);
    if (this.#subscriptions.has(definition.name)) throw alreadyExists(definition.name);
    this.#checkTopics(definition);
    const durable = this.#options.durable.has(parseName(definition.topic, 'topics').id);
    this.#open(definition, durable ? this.#options.storage.addSubscription(definition) : undefined);
    return definition;
  }

  get(name: string): Subscription {
    const subscription = this.#subscriptions.get(name);
    if (subscription !== undefined) return subscription;
    parseName(name, 'subscriptions');
    throw notFound(name);
  }

  /** The subscription, for a client that wants to pull from it. */
  getForPull(name: string): Subscription {
    const subscription = this.get(name);
    if (subscription.definition.pushConfig.pushEndpoint) throw pushOnly();
    return subscription;
  }

  list(request: PageRequest): Page<SubscriptionDefinition> {
    const prefix = collectionPrefix(request.project ?? '', 'subscriptions');
    const names = [...this.#subscriptions.keys()].filter((name) => name.startsWith(prefix));
    const { items, nextPageToken } = page(names, request);
    return { items: items.map((name) => this.get(name).definition), nextPageToken };
  }

  update(given: WireSubscription, paths: readonly string[]): SubscriptionDefinition {
    const subscription = this.get(given.name ?? '');
    if (paths.length === 0) {
      throw invalidArgument('The update_mask in the UpdateSubscriptionRequest must be set.');
    }
    const changed: Record<string, unknown> = { ...subscription.definition };
    for (const path of paths) {
      const field = CHANGEABLE[path];
      if (field === undefined) {
        throw invalidArgument(
          `Invalid update_mask provided in the UpdateSubscriptionRequest: '${path}' is not a known Subscription field or cannot be changed.`,
        );
      }
      changed[field] = given[field];
    }
    const definition = parseSubscription(changed);
    this.#checkDeadLetterTopic(definition);
    this.#redefine(subscription, definition);
    return definition;
  }

  modifyPushConfig(name: string, pushConfig: PushConfig): void {
    const subscription = this.get(name);
    this.#redefine(subscription, parseSubscription({ ...subscription.definition, pushConfig }));
  }

  /** Ends the subscription's streams with NOT_FOUND, so that its clients notice. */
  remove(name: string): void {
    const subscription = this.get(name);
    this.#subscriptions.delete(name);
    this.#options.topics.detach(subscription);
    if (subscription.durable) this.#options.storage.removeSubscription(name);
    subscription.end(notFound(name));
    subscription.removeBacklog();
  }

  /** Its topic is gone. */
  orphan(subscription: Subscription): void {
    this.#store(subscription, { ...subscription.definition, topic: DELETED_TOPIC });
  }

  /** Removes messages past their retention and subscriptions that nobody used for too long. */
  sweep(): void {
    for (const [name, subscription] of this.#subscriptions) {
      if (subscription.isExpired) this.remove(name);
      else subscription.sweep();
    }
  }

  close(status: StatusError): void {
    for (const subscription of this.#subscriptions.values()) subscription.end(status);
  }

  #checkTopics(definition: SubscriptionDefinition): void {
    if (!this.#options.topics.has(definition.topic)) throw notFound(definition.topic);
    this.#checkDeadLetterTopic(definition);
  }

  #checkDeadLetterTopic({ deadLetterPolicy }: SubscriptionDefinition): void {
    const topic = deadLetterPolicy?.deadLetterTopic;
    if (topic !== undefined && !this.#options.topics.has(topic)) throw notFound(topic);
  }

  /** Sets a subscription to work: durable if it has a number in storage. */
  #open(definition: SubscriptionDefinition, number: number | undefined): void {
    const { storage, overflow, commits, topics } = this.#options;
    const place =
      number === undefined
        ? { subscription: ++this.#volatileNumber, storage: overflow, commits: undefined }
        : { subscription: number, storage, commits };
    const subscription = new Subscription(definition, place, (source, message, attempts) =>
      this.#sendDeadLetter(source, message, attempts),
    );
    this.#subscriptions.set(definition.name, subscription);
    topics.attach(subscription);
    this.#startPush(subscription);
  }

  #redefine(subscription: Subscription, definition: SubscriptionDefinition): void {
    const before = subscription.definition.pushConfig.pushEndpoint ?? '';
    const endpoint = definition.pushConfig.pushEndpoint ?? '';
    this.#store(subscription, definition);
    if (before === endpoint) return;
    subscription.endConsumers(pushOnly());
    this.#startPush(subscription);
  }

  #store(subscription: Subscription, definition: SubscriptionDefinition): void {
    if (subscription.durable) this.#options.storage.updateSubscription(definition);
    subscription.redefine(definition);
  }

  #startPush(subscription: Subscription): void {
    const endpoint = subscription.definition.pushConfig.pushEndpoint;
    if (!endpoint) return;
    subscription.attach(new PushSender(subscription, endpoint, this.#options.log));
  }

  async #sendDeadLetter(source: Subscription, message: Message, attempts: number): Promise<void> {
    const { name, deadLetterPolicy } = source.definition;
    const topic = deadLetterPolicy?.deadLetterTopic;
    if (topic === undefined) throw new Error('no dead letter topic');
    const { project, id } = parseName(name, 'subscriptions');
    const attributes = {
      ...message.attributes,
      CloudPubSubDeadLetterSourceDeliveryCount: String(attempts),
      CloudPubSubDeadLetterSourceSubscription: id,
      CloudPubSubDeadLetterSourceSubscriptionProject: project,
      CloudPubSubDeadLetterSourceTopicPublishTime: new Date(
        publishedAtMs(message.id),
      ).toISOString(),
    };
    await this.#options.topics.publish(topic, [{ ...message, attributes }]);
    this.#options.log.warning('dead letter', {
      subscription: name,
      messageId: message.id,
      attempts,
    });
  }
}

const pushOnly = () =>
  failedPrecondition('This operation is not allowed while the subscription has a push endpoint.');
