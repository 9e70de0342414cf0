import { type Broadcast, openBroadcast } from '../../functions/cloud/broadcast.ts';
import { decodeLines } from '../../functions/cloud/envelope.ts';
import { Registry } from '../../functions/cloud/metrics/registry.ts';
import { openPublisher, type Publisher } from '../../functions/cloud/publisher.ts';
import { openTestPubSub, silentLog, type TestPubSub } from '../support/pubsub.ts';
import { until } from '../support/until.ts';

/** What one instance saw, in order: numbers of messages, and breaks. */
interface Instance {
  readonly broadcast: Broadcast;
  readonly seen: Set<number>;
  readonly breaks: string[];
}

let pubsub: TestPubSub;
let publisher: Publisher;
const open: Broadcast[] = [];

beforeEach(async () => {
  pubsub = await openTestPubSub(['stored']);
  publisher = openPublisher({
    pubsub: pubsub.client,
    topic: 'stored',
    pendingBytesMax: 10_000_000,
    metrics: new Registry('relay'),
  });
});

afterEach(async () => {
  for (const broadcast of open.splice(0)) await broadcast.close();
  await publisher.close();
  await pubsub.remove();
});

async function follow(subscription: string): Promise<Instance> {
  const seen = new Set<number>();
  const breaks: string[] = [];
  const broadcast = await openBroadcast({
    pubsub: pubsub.client,
    topic: 'stored',
    subscription,
    onMessage(data, attributes) {
      for (const line of decodeLines(data, attributes['format']) ?? []) {
        if ('meta' in line) seen.add((line.meta as { n: number }).n);
      }
    },
    onBreak: (why) => breaks.push(why),
    log: silentLog,
    metrics: new Registry('relay'),
  });
  open.push(broadcast);
  return { broadcast, seen, breaks };
}

const publish = (from: number, to: number) =>
  Promise.all(
    Array.from({ length: to - from }, (_, i) => publisher.publish({ meta: { n: from + i } })),
  );

const names = async () => {
  const [subscriptions] = await pubsub.client.getSubscriptions();
  return subscriptions.map(({ name }) => name.split('/').at(-1)).sort();
};

describe('broadcast over Pub/Sub', () => {
  it('brings every line to every instance, from the moment it stands', async () => {
    const instances = [await follow('instance-a'), await follow('instance-b')];
    await publish(0, 3_000);
    for (const { seen, breaks } of instances) {
      await until(() => seen.size === 3_000, { what: 'all lines' });
      expect(breaks).toEqual([]);
    }
  });

  it('makes its subscription as the cost of orphans demands, and deletes it on close', async () => {
    const { broadcast } = await follow('instance-a');
    const [metadata] = await pubsub.client.subscription('instance-a').getMetadata();
    expect(metadata).toMatchObject({
      ackDeadlineSeconds: 10,
      messageRetentionDuration: { seconds: '600' },
      expirationPolicy: { ttl: { seconds: '86400' } },
      labels: { role: 'relay-instance' },
    });
    expect(await names()).toEqual(['instance-a']);
    open.length = 0;
    await broadcast.close();
    expect(await names()).toEqual([]);
  });

  it('makes a subscription again that vanished under load, and says so', async () => {
    const { seen, breaks } = await follow('instance-a');
    await publish(0, 100);
    await until(() => seen.size === 100, { what: 'the first lines' });
    await pubsub.client.subscription('instance-a').delete();
    await until(() => breaks.includes('subscription was made again'), { what: 'a new one' });
    expect(breaks[0]).toMatch(/^stream ended/);
    await publish(100, 200);
    await until(() => seen.size === 200, { what: 'the lines published after that' });
    expect(await names()).toEqual(['instance-a']);
  });

  it('takes over again when Pub/Sub was away, and reports every break', async () => {
    const { seen, breaks } = await follow('instance-a');
    for (let turn = 0; turn < 2; turn += 1) {
      const before = breaks.length;
      await pubsub.stop();
      await until(() => breaks.length > before, { what: 'the break' });
      await pubsub.start();
      await until(() => breaks.slice(before).includes('subscription was made again'), {
        what: 'a new subscription',
        timeoutMs: 20_000,
      });
      await publish(turn * 10, turn * 10 + 10);
      await until(() => seen.size === turn * 10 + 10, { what: 'lines after the restart' });
    }
  });

  it('rejects when the topic does not exist', async () => {
    await pubsub.client.topic('stored').delete();
    await expect(follow('instance-a')).rejects.toMatchObject({ code: 5 });
  });

  it('closes while Pub/Sub is away', async () => {
    const { broadcast, breaks } = await follow('instance-a');
    await pubsub.stop();
    await until(() => breaks.length > 0, { what: 'the break' });
    open.length = 0;
    const startedAt = performance.now();
    await broadcast.close();
    expect(performance.now() - startedAt).toBeLessThan(8_000);
    await pubsub.start();
  });
});
