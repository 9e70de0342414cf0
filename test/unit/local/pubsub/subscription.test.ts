import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { parseSubscription } from '../../../../functions/local/pubsub/definition.ts';
import type { Message } from '../../../../functions/local/pubsub/message.ts';
import { unavailable } from '../../../../functions/local/pubsub/status.ts';
import { Storage } from '../../../../functions/local/pubsub/storage.ts';
import {
  type Consumer,
  type Delivery,
  Subscription,
} from '../../../../functions/local/pubsub/subscription.ts';
import type { WireSubscription } from '../../../../functions/local/pubsub/wire.ts';

describe('a subscription at work', () => {
  let folder: string;
  let storage: Storage;
  let subscription: Subscription;
  let delivered: Delivery[];
  let released: number;

  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['queueMicrotask', 'nextTick'] });
    folder = mkdtempSync(join(tmpdir(), 'distrise-subscription-'));
    storage = new Storage(join(folder, 'overflow.sqlite'), { durable: false });
    delivered = [];
    released = 0;
  });
  afterEach(() => {
    subscription.end(unavailable('the test is over'));
    storage.close();
    rmSync(folder, { recursive: true });
    jest.useRealTimers();
  });

  /** A subscription with one consumer that takes everything. */
  function open(options: WireSubscription = {}): void {
    subscription = new Subscription(
      parseSubscription({
        name: 'projects/p/subscriptions/sub',
        topic: 'projects/p/topics/topic',
        ...options,
      }),
      { subscription: 1, storage, commits: undefined },
      () => Promise.reject(new Error('no dead letters here')),
    );
    const consumer: Consumer = {
      room: { messages: 100, bytes: 1_000 },
      ackDeadlineMs: 10_000,
      deliver: (deliveries) => delivered.push(...deliveries),
      released: (bytes) => {
        released += bytes;
      },
      end: () => {},
    };
    subscription.attach(consumer);
  }

  const message = (): Message => ({
    id: Date.now() * 1_000,
    data: Buffer.from('x'),
    attributes: {},
    orderingKey: '',
    bytes: 1,
  });

  const publish = async () => {
    subscription.offer([message()]);
    await Promise.resolve();
  };
  const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);
  const attempts = () => delivered.map(({ attempt }) => attempt);
  const last = () => delivered.at(-1)?.ackId ?? '';

  it('delivers again what nobody answers within the ack deadline', async () => {
    open();
    await publish();
    await pass(9_990);
    expect(attempts()).toEqual([1]);
    await pass(20);
    expect(attempts()).toEqual([1, 2]);
    expect(released).toBe(1);
  });

  it('waits longer for a delivery whose deadline was moved', async () => {
    open();
    await publish();
    await pass(9_000);
    subscription.modifyAckDeadline([last()], 30);
    await pass(29_900);
    expect(attempts()).toEqual([1]);
    await pass(200);
    expect(attempts()).toEqual([1, 2]);
  });

  it('takes an acknowledgement that comes after the deadline', async () => {
    open();
    await publish();
    const first = last();
    await pass(10_010);
    expect(attempts()).toEqual([1, 2]);
    subscription.acknowledge([first]);
    await pass(60_000);
    expect(attempts()).toEqual([1, 2]);
    expect(released).toBe(2);
  });

  it('gives nothing on a refusal of an older delivery', async () => {
    open();
    await publish();
    const first = last();
    await pass(10_010);
    subscription.modifyAckDeadline([first], 0);
    await pass(1_000);
    expect(attempts()).toEqual([1, 2]);
  });

  it('doubles the backoff from its minimum to its maximum', async () => {
    open({ retryPolicy: { minimumBackoff: { seconds: 1 }, maximumBackoff: { seconds: 3 } } });
    await publish();
    for (const backoffMs of [1_000, 2_000, 3_000, 3_000]) {
      const before = delivered.length;
      subscription.modifyAckDeadline([last()], 0);
      await pass(backoffMs - 10);
      expect(delivered).toHaveLength(before);
      await pass(20);
      expect(delivered).toHaveLength(before + 1);
    }
  });

  it('does not deliver what is past its retention', async () => {
    open({
      messageRetentionDuration: { seconds: 600 },
      retryPolicy: { minimumBackoff: { seconds: 600 }, maximumBackoff: { seconds: 600 } },
    });
    await publish();
    await pass(1_000);
    subscription.modifyAckDeadline([last()], 0);
    await pass(700_000);
    expect(attempts()).toEqual([1]);
  });

  it('refuses ack ids of another subscription', () => {
    open();
    expect(() => subscription.acknowledge(['2-1-1'])).toThrow(
      expect.objectContaining({ code: 3 }) as Error,
    );
  });
});
