import type { Commits } from './commits.ts';
import { parseTopic, type TopicDefinition } from './definition.ts';
import { type Content, type Message, MessageIds } from './message.ts';
import { collectionPrefix, DELETED_TOPIC, parseName } from './names.ts';
import { type Page, page } from './page.ts';
import { alreadyExists, invalidArgument, notFound, unavailable } from './status.ts';
import type { Storage } from './storage.ts';
import type { Subscription } from './subscription.ts';
import type { PageRequest, WireTopic } from './wire.ts';

interface Topic {
  definition: TopicDefinition;
  readonly subscriptions: Set<Subscription>;
}

export interface TopicsOptions {
  readonly storage: Storage;
  readonly commits: Commits;
  /** The highest message id that was ever given out, as far as is known. */
  readonly lastId: number;
}

/** The topics, and what happens to a message between its publisher and the subscriptions. */
export class Topics {
  readonly #storage: Storage;
  readonly #commits: Commits;
  readonly #ids: MessageIds;
  readonly #topics = new Map<string, Topic>();

  constructor({ storage, commits, lastId }: TopicsOptions) {
    this.#storage = storage;
    this.#commits = commits;
    this.#ids = new MessageIds(lastId);
    for (const definition of storage.topics()) this.#add(definition);
  }

  create(given: WireTopic): TopicDefinition {
    const definition = parseTopic(given);
    if (this.#topics.has(definition.name)) throw alreadyExists(definition.name);
    this.#storage.saveTopic(definition);
    this.#add(definition);
    return definition;
  }

  get(name: string): TopicDefinition {
    return this.#find(name).definition;
  }

  has(name: string): boolean {
    return this.#topics.has(name);
  }

  update(given: WireTopic, paths: readonly string[]): TopicDefinition {
    const topic = this.#find(given.name ?? '');
    const changed: WireTopic = { ...topic.definition };
    for (const path of paths) {
      if (path === 'labels') Object.assign(changed, { labels: given.labels });
      else if (path === 'message_retention_duration') {
        Object.assign(changed, { messageRetentionDuration: given.messageRetentionDuration });
      } else
        throw invalidArgument(`Invalid update_mask provided in the UpdateTopicRequest: '${path}'.`);
    }
    const definition = parseTopic(changed);
    this.#storage.saveTopic(definition);
    topic.definition = definition;
    return definition;
  }

  list(request: PageRequest): Page<TopicDefinition> {
    const prefix = collectionPrefix(request.project ?? '', 'topics');
    const names = [...this.#topics.keys()].filter((name) => name.startsWith(prefix));
    const { items, nextPageToken } = page(names, request);
    return { items: items.map((name) => this.get(name)), nextPageToken };
  }

  /** Removes the topic. Its subscriptions stay with what they have: `orphan` marks them, at once. */
  remove(name: string, orphan: (subscription: Subscription) => void): void {
    const { subscriptions } = this.#find(name);
    this.#storage.transaction(() => {
      this.#storage.removeTopic(name);
      for (const subscription of subscriptions) orphan(subscription);
    });
    this.#topics.delete(name);
  }

  subscriptionNames(request: PageRequest): Page<string> {
    const { subscriptions } = this.#find(request.topic ?? '');
    return page(
      [...subscriptions].map(({ definition }) => definition.name),
      request,
    );
  }

  /** From now on the subscription gets what is published; its topic must exist or be deleted. */
  attach(subscription: Subscription): void {
    const { topic } = subscription.definition;
    if (topic !== DELETED_TOPIC) this.#find(topic).subscriptions.add(subscription);
  }

  detach(subscription: Subscription): void {
    this.#topics.get(subscription.definition.topic)?.subscriptions.delete(subscription);
  }

  /**
   * Gives the messages to all subscriptions that want them; resolves to their ids when the durable
   * ones have them on disk. Subscriptions in memory get them at the same moment, not before.
   */
  publish(name: string, contents: readonly Content[]): Promise<string[]> {
    const { subscriptions } = this.#find(name);
    const messages: Message[] = contents.map((content) => ({ ...content, id: this.#ids.next() }));
    const wanted = [...subscriptions].map((subscription) => ({
      subscription,
      messages: messages.filter((message) => subscription.wants(message)),
    }));
    const rows = wanted
      .filter(({ subscription }) => subscription.durable)
      .flatMap(({ subscription, messages: list }) =>
        list.map((message) => ({ subscription: subscription.number, message })),
      );
    return new Promise((resolve, reject) => {
      const done = (error?: unknown) => {
        if (error !== undefined) return reject(unavailable('The message could not be stored.'));
        for (const { subscription, messages: list } of wanted) subscription.offer(list);
        resolve(messages.map(({ id }) => String(id)));
      };
      if (rows.length === 0) done();
      else this.#commits.append(rows, done);
    });
  }

  #add(definition: TopicDefinition): void {
    this.#topics.set(definition.name, { definition, subscriptions: new Set() });
  }

  #find(name: string): Topic {
    const topic = this.#topics.get(name);
    if (topic !== undefined) return topic;
    parseName(name, 'topics');
    throw notFound(name);
  }
}
