import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLog } from '../../../../functions/cloud/log.ts';
import { parseSubscription } from '../../../../functions/local/pubsub/definition.ts';
import { limits } from '../../../../functions/local/pubsub/limits.ts';
import type { Message } from '../../../../functions/local/pubsub/message.ts';
import { PushSender } from '../../../../functions/local/pubsub/push.ts';
import { unavailable } from '../../../../functions/local/pubsub/status.ts';
import { Storage } from '../../../../functions/local/pubsub/storage.ts';
import { Subscription } from '../../../../functions/local/pubsub/subscription.ts';
import { until } from '../../../support/until.ts';

const log = openLog({ level: 'error', format: 'json', component: 'test' }, { write: () => true });

describe('the push sender', () => {
  let folder: string;
  let storage: Storage;
  let endpoint: Server;
  let subscription: Subscription;
  /** Requests that wait for their answer. */
  let open: ServerResponse[];
  let posts: number;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'distrise-push-'));
    storage = new Storage(join(folder, 'overflow.sqlite'), { durable: false });
    open = [];
    posts = 0;
    endpoint = createServer((request, response) => {
      request.resume();
      request.on('end', () => {
        posts += 1;
        open.push(response);
      });
    });
    await new Promise<void>((resolve) => endpoint.listen(0, '127.0.0.1', resolve));
    const address = endpoint.address();
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/`;
    const definition = parseSubscription({
      name: 'projects/p/subscriptions/pushed',
      topic: 'projects/p/topics/topic',
      pushConfig: { pushEndpoint: url },
    });
    subscription = new Subscription(
      definition,
      { subscription: 1, storage, commits: undefined },
      () => Promise.reject(new Error('no dead letters here')),
    );
    subscription.attach(new PushSender(subscription, url, log));
  });

  afterEach(async () => {
    subscription.end(unavailable('the test is over'));
    storage.close();
    endpoint.closeAllConnections();
    await new Promise((resolve) => endpoint.close(resolve));
    rmSync(folder, { recursive: true });
  });

  function publish(count: number): void {
    const first = Date.now() * 1_000;
    const messages = Array.from({ length: count }, (_, n): Message => {
      return { id: first + n, data: Buffer.from('x'), attributes: {}, orderingKey: '', bytes: 1 };
    });
    subscription.offer(messages);
  }

  const waiting = (count: number) =>
    until(() => open.length === count, { what: `${count} requests at a time` });

  const answerOne = (status: number) => open.shift()?.writeHead(status).end();

  it('starts with one request, doubles with each success, and stays within its bound', async () => {
    publish(100);
    await waiting(1);
    for (const width of [2, 4, 8, 16, limits.pushWindowMax]) {
      answerOne(204);
      await waiting(width);
    }
    expect(posts).toBe(5 + limits.pushWindowMax);
  });

  it('narrows with each failure, and widens again', async () => {
    publish(12);
    await waiting(1);
    for (const width of [2, 4, 8]) {
      answerOne(204);
      await waiting(width);
    }
    while (open.length > 0) answerOne(503);
    for (const width of [1, 2, 4]) {
      await waiting(width);
      answerOne(204);
    }
  });

  it('leaves a failing endpoint alone for a while, and reaches it when it is well', async () => {
    publish(1);
    const started = performance.now();
    for (let failures = 0; failures < 4; failures += 1) {
      await waiting(1);
      answerOne(500);
    }
    await waiting(1);
    // 100, 200, 400 and 800 ms of rest, though the subscription has no backoff of its own.
    expect(performance.now() - started).toBeGreaterThan(1_400);
    answerOne(200);
    await until(() => open.length === 0, { what: 'the end' });
    expect(posts).toBe(5);
  });

  it('posts to an endpoint again that came back', async () => {
    const address = endpoint.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    await new Promise((resolve) => endpoint.close(resolve));
    publish(3);
    await new Promise<void>((resolve) => endpoint.listen(port, '127.0.0.1', resolve));
    await until(
      () => {
        while (open.length > 0) answerOne(204);
        return posts === 3;
      },
      { what: 'all three' },
    );
  });
});
