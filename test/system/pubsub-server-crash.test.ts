import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Message, PubSub } from '@google-cloud/pubsub';
import { until } from '../support/until.ts';

/** The local Pub/Sub as a process of its own: what it keeps when it is killed, and when it ends. */
describe('the local Pub/Sub process', () => {
  const main = join(import.meta.dirname, '../../functions/local/pubsub/main.ts');
  let dataDir: string;
  const children = new Set<ChildProcess>();
  const clients: PubSub[] = [];

  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'distrise-pubsub-'));
  });

  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await Promise.all([...children].map((child) => ended(child, () => child.kill('SIGKILL'))));
    rmSync(dataDir, { recursive: true, force: true });
  });

  function launch(): ChildProcess {
    const child = fork(main, {
      env: { ...process.env, PORT: '0', DATA_DIR: dataDir, LOG_LEVEL: 'error' },
      execArgv: ['--no-warnings'],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    children.add(child);
    child.once('exit', () => children.delete(child));
    return child;
  }

  async function start(): Promise<{ child: ChildProcess; pubsub: PubSub }> {
    const child = launch();
    const [message] = (await once(child, 'message')) as [{ ready: boolean; port: number }];
    expect(message).toEqual({ ready: true, port: expect.any(Number) as number });
    const pubsub = new PubSub({
      projectId: 'p-crash',
      apiEndpoint: `127.0.0.1:${message.port}`,
      emulatorMode: true,
    });
    clients.push(pubsub);
    return { child, pubsub };
  }

  async function ended(child: ChildProcess, act: () => void): Promise<number | null> {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const exit = once(child, 'exit');
    act();
    const [code] = (await exit) as [number | null];
    return code;
  }

  /** Publishes without a pause until the server is gone; the ids are those it acknowledged. */
  async function publishUntilGone(pubsub: PubSub, acknowledged: string[]): Promise<void> {
    const topic = pubsub.topic('incoming', {
      batching: { maxMessages: 20, maxMilliseconds: 1 },
      gaxOpts: { retry: null, timeout: 2_000 },
    });
    let gone = false;
    const one = async (): Promise<void> => {
      while (!gone) {
        const text = `m${Math.random()}`;
        try {
          await topic.publishMessage({ data: Buffer.from(text), attributes: { text } });
          acknowledged.push(text);
        } catch {
          gone = true;
        }
      }
    };
    await Promise.all(Array.from({ length: 50 }, one));
  }

  it('delivers after SIGKILL every message that it had acknowledged', async () => {
    let { child, pubsub } = await start();
    const [topic] = await pubsub.createTopic('incoming');
    await topic.createSubscription('incoming-store');
    const acknowledged: string[] = [];
    for (let kill = 0; kill < 3; kill += 1) {
      const before = acknowledged.length;
      const publishing = publishUntilGone(pubsub, acknowledged);
      await until(() => acknowledged.length > before + 300, { what: 'publishing under way' });
      await ended(child, () => child.kill('SIGKILL'));
      await publishing;
      ({ child, pubsub } = await start());
    }
    const got = new Set<string>();
    const subscription = pubsub.subscription('incoming-store');
    subscription.on('message', (message: Message) => {
      expect(message.data.toString()).toBe(message.attributes['text']);
      got.add(message.attributes['text'] ?? '');
      message.ack();
    });
    await until(() => acknowledged.every((text) => got.has(text)), {
      what: 'all acknowledged messages',
      timeoutMs: 20_000,
    });
    await subscription.close();
  }, 60_000);

  it('does not give again after a restart what was acknowledged before', async () => {
    const first = await start();
    const [topic] = await first.pubsub.createTopic('incoming');
    const [subscription] = await topic.createSubscription('incoming-store');
    await topic.publishMessage({ data: Buffer.from('taken') });
    const taken: string[] = [];
    subscription.on('message', (message: Message) => {
      taken.push(message.data.toString());
      message.ack();
    });
    await until(() => taken.length === 1, { what: 'the message' });
    await subscription.close();
    expect(await ended(first.child, () => first.child.kill('SIGTERM'))).toBe(0);

    const second = await start();
    await second.pubsub.topic('incoming').publishMessage({ data: Buffer.from('new') });
    const got: string[] = [];
    const again = second.pubsub.subscription('incoming-store');
    again.on('message', (message: Message) => {
      got.push(message.data.toString());
      message.ack();
    });
    await until(() => got.includes('new'), { what: 'the new message' });
    expect(got).toEqual(['new']);
    await again.close();
  });

  it('forgets subscriptions of topics in memory, so that their readers hear of the loss', async () => {
    const first = await start();
    const [topic] = await first.pubsub.createTopic('stored');
    await topic.createSubscription('instance-1');
    await ended(first.child, () => first.child.kill('SIGKILL'));
    const { pubsub } = await start();
    await expect(pubsub.subscription('instance-1').getMetadata()).rejects.toMatchObject({
      code: 5,
    });
    await expect(pubsub.topic('stored').getMetadata()).resolves.toBeDefined();
  });

  it('refuses a folder that another one uses', async () => {
    await start();
    const second = launch();
    expect(await ended(second, () => {})).toBe(1);
  });

  it('ends when its channel closes', async () => {
    const { child } = await start();
    expect(await ended(child, () => child.disconnect())).toBe(0);
  });
});
