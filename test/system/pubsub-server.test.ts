import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type Message, PubSub, type Subscription, v1 } from '@google-cloud/pubsub';
import {
  DURABLE_TOPIC,
  startOurs,
  startReference,
  type Target,
  VOLATILE_TOPIC,
} from '../support/pubsub-targets.ts';
import { until } from '../support/until.ts';

/** What the generated clients take; the library's own type allows `undefined` in more places. */
type ClientOptions = NonNullable<ConstructorParameters<typeof v1.PublisherClient>[0]>;

/**
 * How the local Pub/Sub behaves towards Google's own client library. With
 * DISTRISE_PUBSUB_REFERENCE (host:port, or `gcloud`) the same tests run against Google's emulator
 * too, but for those about what the emulator is known to leave out.
 */
const reference = process.env['DISTRISE_PUBSUB_REFERENCE'];
const targets: [string, () => Promise<Target>][] = [['our server', startOurs]];
if (reference !== undefined) targets.push(["Google's emulator", () => startReference(reference)]);

/** gRPC status codes. */
const CODE = {
  invalidArgument: 3,
  notFound: 5,
  alreadyExists: 6,
  failedPrecondition: 9,
  unimplemented: 12,
};

describe.each(targets)('%s', (title, start) => {
  const itOurs = title === 'our server' ? it : it.skip;
  let target: Target;
  let pubsub: PubSub;
  let subscriber: v1.SubscriberClient;
  let publisher: v1.PublisherClient;
  let serial = 0;
  const project = `p-${process.pid}`;
  const opened: Subscription[] = [];

  beforeAll(async () => {
    target = await start();
    pubsub = new PubSub({
      projectId: project,
      apiEndpoint: `127.0.0.1:${target.port}`,
      emulatorMode: true,
    });
    const configuration = await pubsub.getClientConfig();
    subscriber = new v1.SubscriberClient(configuration as ClientOptions);
    publisher = new v1.PublisherClient(configuration as ClientOptions);
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((subscription) => subscription.close()));
  });

  afterAll(async () => {
    await Promise.all([subscriber.close(), publisher.close(), pubsub.close()]);
    await target.stop();
  });

  /** A name that no other test uses. */
  const name = (what: string) => `${what}-${++serial}`;
  const topicName = (id: string) => `projects/${project}/topics/${id}`;
  const subscriptionName = (id: string) => `projects/${project}/subscriptions/${id}`;

  async function topicWithSubscription(options: object = {}) {
    const topicId = name('topic');
    const id = name('subscription');
    const [topic] = await pubsub.createTopic(topicId);
    const [subscription] = await topic.createSubscription(id, options);
    return { topic, topicId, subscription, id, path: subscriptionName(id) };
  }

  /** Reads a subscription with the real client; what comes is in the list. */
  function listen(
    id: string,
    answer: (message: Message) => void = (message) => message.ack(),
    options: object = {},
  ): Message[] {
    const got: Message[] = [];
    const subscription = pubsub.subscription(id, options);
    opened.push(subscription);
    subscription.on('error', () => {});
    subscription.on('message', (message: Message) => {
      got.push(message);
      answer(message);
    });
    return got;
  }

  async function pullNow(path: string, maxMessages = 100) {
    const [{ receivedMessages }] = await subscriber.pull({
      subscription: path,
      maxMessages,
      returnImmediately: true,
    });
    return receivedMessages ?? [];
  }

  const pulled = (path: string, maxMessages = 100) =>
    until(
      async () => {
        const messages = await pullNow(path, maxMessages);
        return messages.length > 0 ? messages : undefined;
      },
      { what: `a message in ${path}` },
    );

  const text = (message: { data?: string | Uint8Array | null | undefined } | null | undefined) =>
    Buffer.from(message?.data ?? '').toString();

  describe('topics', () => {
    it('are made once, found, listed and removed', async () => {
      const id = name('topic');
      await pubsub.createTopic(id);
      await expect(pubsub.createTopic(id)).rejects.toMatchObject({ code: CODE.alreadyExists });
      await expect(pubsub.topic(id).getMetadata()).resolves.toBeDefined();
      const [topics] = await pubsub.getTopics();
      expect(topics.map((topic) => topic.name)).toContain(topicName(id));
      await pubsub.topic(id).delete();
      await expect(pubsub.topic(id).getMetadata()).rejects.toMatchObject({ code: CODE.notFound });
      await expect(pubsub.topic(id).delete()).rejects.toMatchObject({ code: CODE.notFound });
    });

    it('refuse a name that Pub/Sub does not take', async () => {
      await expect(pubsub.createTopic('t1')).rejects.toMatchObject({ code: CODE.invalidArgument });
      await expect(pubsub.createTopic('1topic')).rejects.toMatchObject({
        code: CODE.invalidArgument,
      });
      await expect(pubsub.createTopic('goog-topic')).rejects.toMatchObject({
        code: CODE.invalidArgument,
      });
    });

    it('refuse an empty message and a message for a topic that is not there', async () => {
      const { topic } = await topicWithSubscription();
      await expect(topic.publishMessage({ data: Buffer.alloc(0) })).rejects.toMatchObject({
        code: CODE.invalidArgument,
      });
      await expect(
        pubsub.topic(name('absent')).publishMessage({ data: Buffer.from('x') }),
      ).rejects.toMatchObject({ code: CODE.notFound });
    });

    it('leave their subscriptions and backlog behind when they are removed', async () => {
      const { topic, topicId, id, path } = await topicWithSubscription();
      await topic.publishMessage({ data: Buffer.from('left behind') });
      await topic.delete();
      const [metadata] = await pubsub.subscription(id).getMetadata();
      expect(metadata.topic).toBe('_deleted-topic_');
      expect(text((await pulled(path))[0]?.message)).toBe('left behind');
      const [again] = await pubsub.createTopic(topicId);
      await again.publishMessage({ data: Buffer.from('not attached') });
      expect(await pullNow(path)).toHaveLength(0);
    });

    it('list the subscriptions attached to them', async () => {
      const { topic, path } = await topicWithSubscription();
      const [subscriptions] = await topic.getSubscriptions();
      expect(subscriptions.map((subscription) => subscription.name)).toEqual([path]);
    });

    itOurs('are listed in pages', async () => {
      const ids = [name('paged'), name('paged'), name('paged')];
      for (const id of ids) await pubsub.createTopic(id);
      const request = { project: `projects/${project}`, pageSize: 2 };
      const [first, next] = await publisher.listTopics(request, { autoPaginate: false });
      expect(first).toHaveLength(2);
      expect(next?.pageToken).toBeTruthy();
      const [topics] = await publisher.listTopics(request);
      const found = topics.map((topic) => topic.name);
      for (const id of ids) expect(found).toContain(topicName(id));
    });
  });

  describe('subscriptions', () => {
    it('are made once, found and removed', async () => {
      const { topic, id } = await topicWithSubscription();
      await expect(topic.createSubscription(id)).rejects.toMatchObject({
        code: CODE.alreadyExists,
      });
      const [metadata] = await pubsub.subscription(id).getMetadata();
      expect(metadata).toMatchObject({ ackDeadlineSeconds: 10, topic: topic.name });
      await pubsub.subscription(id).delete();
      await expect(pubsub.subscription(id).getMetadata()).rejects.toMatchObject({
        code: CODE.notFound,
      });
    });

    it('want a topic that exists', async () => {
      await expect(
        pubsub.topic(name('absent')).createSubscription(name('subscription')),
      ).rejects.toMatchObject({ code: CODE.notFound });
    });

    it('change by a mask of fields', async () => {
      const { subscription, id } = await topicWithSubscription({ labels: { role: 'relay' } });
      await subscription.setMetadata({
        ackDeadlineSeconds: 33,
        retryPolicy: { minimumBackoff: { seconds: 2 }, maximumBackoff: { seconds: 9 } },
      });
      const [metadata] = await pubsub.subscription(id).getMetadata();
      expect(metadata).toMatchObject({
        ackDeadlineSeconds: 33,
        labels: { role: 'relay' },
        retryPolicy: { minimumBackoff: { seconds: '2' }, maximumBackoff: { seconds: '9' } },
      });
    });

    it('get what was published after their creation, each its own copy', async () => {
      const { topic, id } = await topicWithSubscription();
      await topic.publishMessage({ data: Buffer.from('first') });
      const second = name('subscription');
      await topic.createSubscription(second);
      await topic.publishMessage({ data: Buffer.from('second') });
      const one = listen(id);
      const two = listen(second);
      await until(() => one.length >= 2 && two.length >= 1, { what: 'both subscriptions' });
      expect(one.map((message) => text(message)).sort()).toEqual(['first', 'second']);
      expect(two.map((message) => text(message))).toEqual(['second']);
    });

    it('end their streams with NOT_FOUND when they are removed', async () => {
      const { topic, id } = await topicWithSubscription();
      const faults: unknown[] = [];
      const subscription = pubsub.subscription(id);
      opened.push(subscription);
      subscription.on('error', (error: { code: number }) => faults.push(error.code));
      const got: Message[] = [];
      subscription.on('message', (message: Message) => {
        got.push(message);
        message.ack();
      });
      await topic.publishMessage({ data: Buffer.from('the stream is up') });
      await until(() => got.length === 1, { what: 'the stream' });
      await pubsub.subscription(id).delete();
      await until(() => faults.includes(CODE.notFound), { what: 'NOT_FOUND on the stream' });
    });

    itOurs('refuse what Google would refuse', async () => {
      const { topic } = await topicWithSubscription();
      const invalid = { code: CODE.invalidArgument };
      const create = (options: object) => topic.createSubscription(name('subscription'), options);
      await expect(create({ ackDeadlineSeconds: 9 })).rejects.toMatchObject(invalid);
      await expect(create({ ackDeadlineSeconds: 601 })).rejects.toMatchObject(invalid);
      await expect(create({ messageRetentionDuration: 599 })).rejects.toMatchObject(invalid);
      await expect(
        create({ expirationPolicy: { ttl: { seconds: 86_399 } } }),
      ).rejects.toMatchObject(invalid);
      await expect(create({ filter: 'attributes.a = b' })).rejects.toMatchObject(invalid);
      await expect(
        create({ deadLetterPolicy: { deadLetterTopic: topic.name, maxDeliveryAttempts: 4 } }),
      ).rejects.toMatchObject(invalid);
      await expect(
        create({ deadLetterPolicy: { deadLetterTopic: topicName('absent') } }),
      ).rejects.toMatchObject({ code: CODE.notFound });
      await expect(create({ enableExactlyOnceDelivery: true })).rejects.toMatchObject({
        code: CODE.unimplemented,
      });
    });

    itOurs('keep their expiration policy, and their filter for ever', async () => {
      const { subscription } = await topicWithSubscription({
        expirationPolicy: { ttl: { seconds: 86_400 } },
        filter: 'attributes:a',
      });
      const [metadata] = await subscription.getMetadata();
      expect(metadata.expirationPolicy?.ttl?.seconds).toBe('86400');
      await expect(subscription.setMetadata({ filter: 'attributes:b' })).rejects.toMatchObject({
        code: CODE.invalidArgument,
      });
    });

    itOurs('with a filter get only what it lets through', async () => {
      const { topic, id } = await topicWithSubscription({ filter: 'attributes.kind = "1"' });
      for (const kind of ['1', '7', '1']) {
        await topic.publishMessage({ data: Buffer.from(kind), attributes: { kind } });
      }
      const got = listen(id);
      await until(() => got.length >= 2, { what: 'two messages of kind 1' });
      expect(got.map((message) => message.attributes['kind'])).toEqual(['1', '1']);
    });
  });

  describe('pulling', () => {
    it('gives data, attributes, id and time as they were published', async () => {
      const { topic, id } = await topicWithSubscription();
      const data = Buffer.from([0, 1, 2, 254, 255]);
      const before = Date.now();
      const messageId = await topic.publishMessage({ data, attributes: { format: '1', ü: 'ß' } });
      const got = listen(id);
      const message = await until(() => got[0], { what: 'the message' });
      expect(message.data.equals(data)).toBe(true);
      expect(message.attributes).toEqual({ format: '1', ü: 'ß' });
      expect(message.id).toBe(messageId);
      expect(Math.abs(message.publishTime.getTime() - before)).toBeLessThan(10_000);
    });

    it('gives a message with attributes and no data', async () => {
      const { topic, path } = await topicWithSubscription();
      await topic.publishMessage({ attributes: { only: 'this' } });
      const [received] = await pulled(path);
      expect(received?.message?.attributes).toEqual({ only: 'this' });
      expect(text(received?.message)).toBe('');
    });

    it('does not give again what was acknowledged, and gives again what was refused', async () => {
      const { topic, path } = await topicWithSubscription();
      await topic.publishMessage({ data: Buffer.from('taken') });
      const [taken] = await pulled(path);
      await subscriber.acknowledge({ subscription: path, ackIds: [taken?.ackId ?? ''] });
      await topic.publishMessage({ data: Buffer.from('refused') });
      const [refused] = await pulled(path);
      expect(text(refused?.message)).toBe('refused');
      await subscriber.modifyAckDeadline({
        subscription: path,
        ackIds: [refused?.ackId ?? ''],
        ackDeadlineSeconds: 0,
      });
      const [again] = await pulled(path);
      expect(text(again?.message)).toBe('refused');
    });

    it('gives a message again when its deadline has passed', async () => {
      const { topic, path } = await topicWithSubscription();
      await topic.publishMessage({ data: Buffer.from('overdue') });
      const [first] = await pulled(path);
      await subscriber.modifyAckDeadline({
        subscription: path,
        ackIds: [first?.ackId ?? ''],
        ackDeadlineSeconds: 1,
      });
      expect(await pullNow(path)).toHaveLength(0);
      const [again] = await pulled(path);
      expect(again?.message?.messageId).toBe(first?.message?.messageId);
    });

    it('waits for a message that is yet to come', async () => {
      const { topic, path } = await topicWithSubscription();
      const waiting = subscriber.pull({ subscription: path, maxMessages: 1 });
      await topic.publishMessage({ data: Buffer.from('awaited') });
      const [{ receivedMessages }] = await waiting;
      expect(text(receivedMessages?.[0]?.message)).toBe('awaited');
    });

    it('gives no more than was asked for, and the rest later', async () => {
      const { topicId, path } = await topicWithSubscription();
      const messages = Array.from({ length: 25 }, (_, n) => ({ data: Buffer.from(`${n}`) }));
      await publisher.publish({ topic: topicName(topicId), messages });
      const seen = new Set<string>();
      await until(
        async () => {
          const batch = await pullNow(path, 10);
          expect(batch.length).toBeLessThanOrEqual(10);
          for (const { message } of batch) seen.add(text(message));
          return seen.size === 25;
        },
        { what: 'all 25' },
      );
    });

    it('keeps to the flow control of a stream', async () => {
      const { topicId, id } = await topicWithSubscription();
      const messages = Array.from({ length: 10 }, (_, n) => ({ data: Buffer.from(`${n}`) }));
      await publisher.publish({ topic: topicName(topicId), messages });
      const held: Message[] = [];
      let most = 0;
      const got = listen(
        id,
        (message) => {
          held.push(message);
          most = Math.max(most, held.length);
        },
        {
          flowControl: { maxMessages: 3, allowExcessMessages: false },
          streamingOptions: { maxStreams: 1 },
        },
      );
      await until(
        () => {
          // Lets go of one at a time, so that a fourth at once would be seen.
          if (held.length >= 3 || got.length === 10) held.shift()?.ack();
          return got.length === 10 && held.length === 0;
        },
        { what: 'ten messages, three at a time' },
      );
      expect(most).toBeLessThanOrEqual(3);
    });

    itOurs('refuses an ack deadline out of range and an ack id that is none', async () => {
      const { topic, path } = await topicWithSubscription();
      await topic.publishMessage({ data: Buffer.from('x') });
      const [received] = await pulled(path);
      await expect(
        subscriber.modifyAckDeadline({
          subscription: path,
          ackIds: [received?.ackId ?? ''],
          ackDeadlineSeconds: 601,
        }),
      ).rejects.toMatchObject({ code: CODE.invalidArgument });
      await expect(
        subscriber.acknowledge({ subscription: path, ackIds: ['nonsense'] }),
      ).rejects.toMatchObject({ code: CODE.invalidArgument });
    });

    itOurs('answers the sign of life of a stream', async () => {
      const { path } = await topicWithSubscription();
      await subscriber.initialize();
      const stub = (await subscriber.subscriberStub) as unknown as {
        streamingPull(options: object): import('node:stream').Duplex & { cancel(): void };
      };
      const stream = stub.streamingPull({});
      const answers: unknown[] = [];
      stream.on('data', (answer) => answers.push(answer));
      stream.on('error', () => {});
      stream.write({ subscription: path, streamAckDeadlineSeconds: 10, protocolVersion: 1 });
      stream.write({});
      await until(() => answers.length > 0, { what: 'an answer' });
      stream.cancel();
    });

    itOurs('gives a backlog larger than its window in memory, whole', async () => {
      const { topicId, id } = await topicWithSubscription();
      const count = 7_000;
      for (let first = 0; first < count; first += 1_000) {
        await publisher.publish({
          topic: topicName(topicId),
          messages: Array.from({ length: 1_000 }, (_, n) => ({
            data: Buffer.from(`${first + n}`),
          })),
        });
      }
      const got = listen(id);
      await until(() => got.length >= count, { what: 'the backlog', timeoutMs: 20_000 });
      const numbers = new Set(got.map((message) => Number(text(message))));
      expect(numbers.size).toBe(count);
    });
  });

  describe('limits', () => {
    itOurs('are those of Google, with its words', async () => {
      const topicId = name('topic');
      await pubsub.createTopic(topicId);
      const publish = (messages: object[]) =>
        publisher.publish({ topic: topicName(topicId), messages });
      const refusal = (message: RegExp) =>
        expect.objectContaining({
          code: CODE.invalidArgument,
          message: expect.stringMatching(message) as string,
        });
      const x = Buffer.from('x');
      await expect(publish(Array.from({ length: 1_001 }, () => ({ data: x })))).rejects.toEqual(
        refusal(/message_count is too large. You passed 1001/),
      );
      await expect(publish([{ data: Buffer.alloc(10_000_001) }])).rejects.toEqual(
        refusal(/message_size is too large/),
      );
      await expect(
        publish([{ data: Buffer.alloc(6_000_000) }, { data: Buffer.alloc(6_000_000) }]),
      ).rejects.toEqual(refusal(/payload size exceeds the limit/));
      await expect(publish([{ data: x, attributes: { ['k'.repeat(257)]: 'v' } }])).rejects.toEqual(
        refusal(/attribute_key_size/),
      );
      await expect(publish([{ data: x, attributes: { k: 'v'.repeat(1_025) } }])).rejects.toEqual(
        refusal(/attribute_value_size/),
      );
      const many = Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`k${n}`, 'v']));
      await expect(publish([{ data: x, attributes: many }])).rejects.toEqual(
        refusal(/attribute_count/),
      );
      await expect(publish([{ data: Buffer.alloc(9_999_000) }])).resolves.toBeDefined();
    });
  });

  describe('dead letters', () => {
    it('are sent to their topic after the last attempt, with where they came from', async () => {
      const dead = name('dead');
      const [deadTopic] = await pubsub.createTopic(dead);
      const deadId = name('subscription');
      await deadTopic.createSubscription(deadId);
      const { topic, id } = await topicWithSubscription({
        deadLetterPolicy: { deadLetterTopic: deadTopic.name, maxDeliveryAttempts: 5 },
        retryPolicy: { minimumBackoff: { nanos: 1_000_000 }, maximumBackoff: { nanos: 5_000_000 } },
      });
      const tried = listen(id, (message) => message.nack());
      const buried = listen(deadId);
      await topic.publishMessage({ data: Buffer.from('poison'), attributes: { format: '1' } });
      const message = await until(() => buried[0], { what: 'the dead letter', timeoutMs: 20_000 });
      expect(text(message)).toBe('poison');
      expect(message.attributes).toMatchObject({
        format: '1',
        CloudPubSubDeadLetterSourceDeliveryCount: '5',
        CloudPubSubDeadLetterSourceSubscription: id,
        CloudPubSubDeadLetterSourceSubscriptionProject: project,
      });
      expect(message.attributes['CloudPubSubDeadLetterSourceTopicPublishTime']).toMatch(
        /^\d{4}-\d\d-\d\dT.*(Z|\+00:00)$/,
      );
      expect(tried.map(({ deliveryAttempt }) => deliveryAttempt)).toEqual([1, 2, 3, 4, 5]);
    });
  });

  describe('pushing', () => {
    let endpoint: Server;
    let url: string;
    let answer: (body: PushBody) => number;
    const bodies: PushBody[] = [];
    const headers: IncomingMessage['headers'][] = [];

    interface PushBody {
      readonly message: Record<string, unknown>;
      readonly subscription: string;
      readonly deliveryAttempt?: number;
    }

    beforeEach(async () => {
      bodies.length = 0;
      headers.length = 0;
      answer = () => 204;
      endpoint = createServer((request, response) => {
        const parts: Buffer[] = [];
        request.on('data', (part: Buffer) => parts.push(part));
        request.on('end', () => {
          const body = JSON.parse(Buffer.concat(parts).toString()) as PushBody;
          bodies.push(body);
          headers.push(request.headers);
          response.writeHead(answer(body)).end();
        });
      });
      await new Promise<void>((resolve) => endpoint.listen(0, '127.0.0.1', resolve));
      const address = endpoint.address();
      url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/push`;
    });

    afterEach(async () => {
      const [subscriptions] = await pubsub.getSubscriptions();
      await Promise.all(
        subscriptions
          .filter(({ metadata }) => metadata?.pushConfig?.pushEndpoint)
          .map((subscription) => subscription.delete()),
      );
      endpoint.closeAllConnections();
      await new Promise((resolve) => endpoint.close(resolve));
    });

    const pushing = (options: object = {}) =>
      topicWithSubscription({
        pushEndpoint: url,
        retryPolicy: { minimumBackoff: { nanos: 1e8 }, maximumBackoff: { seconds: 1 } },
        ...options,
      });

    it('posts one wrapped message a request', async () => {
      const { topic, path } = await pushing();
      const data = Buffer.from('pushed');
      const messageId = await topic.publishMessage({ data, attributes: { format: '1' } });
      await until(() => bodies.length > 0, { what: 'the post' });
      expect(bodies[0]).toEqual({
        message: {
          attributes: { format: '1' },
          data: data.toString('base64'),
          messageId,
          message_id: messageId,
          publishTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
          publish_time: expect.any(String) as string,
        },
        subscription: path,
      });
      expect(headers[0]?.['content-type']).toBe('application/json');
    });

    it.each([200, 201, 202, 204])('takes %d for an acknowledgement', async (status) => {
      answer = () => status;
      const { topic } = await pushing();
      await topic.publishMessage({ data: Buffer.from('one') });
      await until(() => bodies.length >= 1, { what: 'the post' });
      await topic.publishMessage({ data: Buffer.from('two') });
      await until(() => bodies.length >= 2, { what: 'the second post' });
      const ids = bodies.map(({ message }) => message['messageId']);
      expect(new Set(ids).size).toBe(ids.length);
    });

    it.each([400, 404, 500, 503])('posts again after %d', async (status) => {
      let refused = 0;
      answer = () => (refused++ < 2 ? status : 204);
      const { topic } = await pushing();
      const messageId = await topic.publishMessage({ data: Buffer.from('stubborn') });
      await until(() => bodies.length === 3, { what: 'the third post' });
      expect(bodies.map(({ message }) => message['messageId'])).toEqual(Array(3).fill(messageId));
    });

    itOurs('counts the attempts for a subscription with a dead letter topic', async () => {
      const [dead] = await pubsub.createTopic(name('dead'));
      let refused = 0;
      answer = () => (refused++ < 2 ? 503 : 204);
      const { topic } = await pushing({
        deadLetterPolicy: { deadLetterTopic: dead.name, maxDeliveryAttempts: 10 },
      });
      await topic.publishMessage({ data: Buffer.from('counted') });
      await until(() => bodies.length === 3, { what: 'the third post' });
      expect(bodies.map(({ deliveryAttempt }) => deliveryAttempt)).toEqual([1, 2, 3]);
    });

    it('delivers everything once when all goes well', async () => {
      const { topicId } = await pushing();
      const messages = Array.from({ length: 300 }, (_, n) => ({ data: Buffer.from(`${n}`) }));
      await publisher.publish({ topic: topicName(topicId), messages });
      await until(() => bodies.length >= 300, { what: '300 posts' });
      expect(new Set(bodies.map(({ message }) => message['data'])).size).toBe(300);
    });

    it('starts and stops with the push configuration', async () => {
      const { topic, subscription, path } = await topicWithSubscription();
      await topic.publishMessage({ data: Buffer.from('first') });
      await subscription.modifyPushConfig({ pushEndpoint: url });
      await until(() => bodies.length === 1, { what: 'the post' });
      await subscription.modifyPushConfig({ pushEndpoint: '' });
      await topic.publishMessage({ data: Buffer.from('second') });
      expect(text((await pulled(path))[0]?.message)).toBe('second');
      expect(bodies).toHaveLength(1);
    });
  });

  describe('topics on disk and in memory', () => {
    it.each([DURABLE_TOPIC, VOLATILE_TOPIC])(
      '%s delivers what it acknowledged',
      async (topicId) => {
        const id = name('subscription');
        const [topic] = await pubsub.createTopic(topicId);
        await topic.createSubscription(id);
        const got = listen(id);
        const ids = await Promise.all(
          Array.from({ length: 50 }, (_, n) => topic.publishMessage({ data: Buffer.from(`${n}`) })),
        );
        await until(() => got.length >= 50, { what: '50 messages' });
        expect(new Set(got.map((message) => message.id))).toEqual(new Set(ids));
      },
    );

    itOurs('give a refused message of a topic on disk with its content', async () => {
      const id = name('subscription');
      const topic = pubsub.topic(DURABLE_TOPIC);
      await topic.createSubscription(id);
      let refused = 0;
      const got = listen(id, (message) => (refused++ === 0 ? message.nack() : message.ack()));
      await topic.publishMessage({ data: Buffer.from('kept'), attributes: { a: 'b' } });
      await until(() => got.length === 2, { what: 'the second delivery' });
      expect(text(got[1])).toBe('kept');
      expect(got[1]?.attributes).toEqual({ a: 'b' });
    });
  });
});
