import { decodeLines, FORMAT } from '../../../functions/cloud/envelope.ts';
import { Registry } from '../../../functions/cloud/metrics/registry.ts';
import {
  batchLines,
  openPublisher,
  type Publisher,
  type PublisherOptions,
} from '../../../functions/cloud/publisher.ts';
import { openPubSub } from '../../../functions/cloud/pubsub.ts';
import { countOf, meanOf } from '../../support/metrics.ts';
import {
  type PublishRequest,
  type Script,
  startScriptedPubSub,
} from '../../support/scripted-pubsub.ts';
import { until } from '../../support/until.ts';

/** gRPC statuses, by their numbers. */
const UNAVAILABLE = 14;
const PERMISSION_DENIED = 7;

const open: (() => Promise<void>)[] = [];

async function start(
  publish: NonNullable<Script['publish']>,
  options: Partial<PublisherOptions> = {},
): Promise<{ publisher: Publisher; requests: PublishRequest[]; metrics: Registry }> {
  const requests: PublishRequest[] = [];
  const metrics = new Registry('relay');
  const server = await startScriptedPubSub({
    publish(request) {
      requests.push(request);
      return publish(request);
    },
  });
  const pubsub = openPubSub({ GOOGLE_CLOUD_PROJECT: 'demo', PUBSUB_EMULATOR_HOST: server.host });
  const publisher = openPublisher({
    pubsub,
    topic: 'incoming',
    pendingBytesMax: 10_000_000,
    deadlineMs: 5_000,
    metrics,
    ...options,
  });
  open.push(async () => {
    server.close();
    await publisher.close();
    await pubsub.close();
  });
  return { publisher, requests, metrics };
}

afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

const metasOf = ({ messages }: PublishRequest): unknown[] =>
  messages
    .flatMap(({ data }) => decodeLines(data, FORMAT) ?? [])
    .map((line) => ('meta' in line ? (line.meta as { n: number }).n : line.fault));

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

/** Holds answers back until `release` is called. */
function gate(): { held: Promise<'ok'>; release: () => void } {
  const { promise: held, resolve } = Promise.withResolvers<'ok'>();
  return { held, release: () => resolve('ok') };
}

describe('publisher', () => {
  it('sends a lone line at once, under the format and the attributes given', async () => {
    const { publisher, requests } = await start(() => 'ok', { attributes: { from: 'relay-1' } });
    const message = await publisher.publish({ meta: { n: 1 }, text: '{"id":"x"}' });
    expect(message).toMatch(/./);
    expect(requests).toHaveLength(1);
    expect(requests[0]).toMatchObject({
      topic: 'projects/demo/topics/incoming',
      messages: [{ attributes: { from: 'relay-1', format: FORMAT } }],
    });
    expect(requests[0]?.messages[0]?.data.toString()).toBe('[{"n":1},{"id":"x"}]');
    expect(publisher.pendingBytes).toBe(0);
  });

  it('puts what one caller publishes together into one message', async () => {
    const { publisher, requests } = await start(() => 'ok');
    await Promise.all(range(0, 50).map((n) => publisher.publish({ meta: { n } })));
    expect(requests.map(metasOf)).toEqual([range(0, 50)]);
  });

  it('gathers lines while all slots are taken, up to the most events of a message', async () => {
    const { held, release } = gate();
    const { publisher, requests } = await start(() => held, { slots: 1, eventsMax: 20 });
    const first = publisher.publish({ meta: { n: 0 } });
    await until(() => requests.length === 1, { what: 'the first request' });
    const others = range(1, 46).map((n) => publisher.publish({ meta: { n } }));
    release();
    await Promise.all([first, ...others]);
    expect(requests.map(metasOf)).toEqual([[0], range(1, 21), range(21, 41), range(41, 46)]);
  });

  it('keeps a message below its most bytes, but for a line that is larger alone', async () => {
    const { publisher, requests } = await start(() => 'ok', { bytesMax: 1_000, slots: 1 });
    const text = (bytes: number) => JSON.stringify('x'.repeat(bytes));
    const sizes = [400, 400, 400, 3_000, 400];
    await Promise.all(sizes.map((size, n) => publisher.publish({ meta: { n }, text: text(size) })));
    expect(requests.map(metasOf)).toEqual([[0, 1], [2], [3], [4]]);
  });

  it('counts bytes and not characters', async () => {
    const { publisher, requests } = await start(() => 'ok', { bytesMax: 1_000, slots: 1 });
    const text = JSON.stringify('漢'.repeat(200));
    await Promise.all([0, 1].map((n) => publisher.publish({ meta: { n }, text })));
    expect(requests.map(metasOf)).toEqual([[0], [1]]);
  });

  it('uses no more slots than it has', async () => {
    const { held, release } = gate();
    const { publisher, requests } = await start(() => held, { slots: 2, eventsMax: 1 });
    const all = range(0, 5).map((n) => publisher.publish({ meta: { n } }));
    await until(() => requests.length === 2, { what: 'two requests' });
    const later = publisher.publish({ meta: { n: 5 } });
    await new Promise((resolve) => setImmediate(resolve));
    expect(requests).toHaveLength(2);
    release();
    await Promise.all([...all, later]);
    expect(requests).toHaveLength(6);
  });

  it('tries again what may pass, within the deadline', async () => {
    const answers = [UNAVAILABLE, UNAVAILABLE];
    const { publisher, requests } = await start(() => answers.shift() ?? 'ok');
    await publisher.publish({ meta: { n: 1 } });
    expect(requests).toHaveLength(3);
  });

  it('reports at once what will not pass', async () => {
    const { publisher, requests } = await start(() => PERMISSION_DENIED);
    await expect(publisher.publish({ meta: { n: 1 } })).rejects.toMatchObject({
      name: 'PublishError',
      code: 'failed',
      cause: { code: PERMISSION_DENIED },
    });
    expect(requests).toHaveLength(1);
    expect(publisher.pendingBytes).toBe(0);
  });

  it('gives every line an answer at its own deadline, also while it waits in the queue', async () => {
    const { publisher, requests } = await start(() => 'never', { slots: 1, deadlineMs: 300 });
    const startedAt = performance.now();
    const sent = publisher.publish({ meta: { n: 0 } });
    const failed = expect(sent).rejects.toMatchObject({ code: 'deadline' });
    await until(() => requests.length === 1, { what: 'the first request' });
    await expect(publisher.publish({ meta: { n: 1 } })).rejects.toMatchObject({ code: 'deadline' });
    await failed;
    expect(performance.now() - startedAt).toBeLessThan(1_500);
    await publisher.flush();
    expect(publisher.pendingBytes).toBe(0);
  });

  it('keeps deadlines where the client under it does not', async () => {
    const { promise: never, resolve } = Promise.withResolvers<string>();
    const raw = { publish: () => never, close: async () => undefined };
    const publisher = batchLines(
      { pendingBytesMax: 1_000, slots: 1, deadlineMs: 50, metrics: new Registry('relay') },
      raw,
    );
    const sent = publisher.publish({ meta: {} }).catch((error: unknown) => error);
    await new Promise((turn) => setImmediate(turn));
    await expect(publisher.publish({ meta: {} })).rejects.toMatchObject({ code: 'deadline' });
    expect(await sent).toMatchObject({ code: 'deadline' });
    resolve('1');
    await publisher.flush();
    expect(publisher.pendingBytes).toBe(0);
  });

  it('recovers when Pub/Sub answers again', async () => {
    let answer: 'ok' | 'never' = 'never';
    const { publisher } = await start(() => answer, { deadlineMs: 300 });
    await expect(publisher.publish({ meta: { n: 0 } })).rejects.toThrow();
    answer = 'ok';
    await until(() => publisher.publish({ meta: { n: 1 } }).then(() => true), {
      what: 'a publish that passes',
    });
  });

  it('refuses a line at once when too much is pending, and takes lines again later', async () => {
    const { held, release } = gate();
    const { publisher } = await start(() => held, { pendingBytesMax: 100 });
    const text = JSON.stringify('x'.repeat(50));
    const first = publisher.publish({ meta: {}, text });
    await expect(publisher.publish({ meta: {}, text })).rejects.toMatchObject({ code: 'full' });
    release();
    await first;
    await publisher.publish({ meta: {}, text });
  });

  it('flushes what it has and takes nothing more once closed', async () => {
    const { publisher, requests } = await start(() => 'ok');
    const last = publisher.publish({ meta: { n: 0 } });
    const closed = publisher.close();
    await expect(publisher.publish({ meta: { n: 1 } })).rejects.toMatchObject({ code: 'closed' });
    await closed;
    await last;
    expect(requests.map(metasOf)).toEqual([[0]]);
  });

  it('counts its messages by how many lines they hold, and times them', async () => {
    const { publisher, metrics } = await start(() => 'ok', { slots: 1 });
    await Promise.all([1, 2, 3].map((n) => publisher.publish({ meta: { n } })));
    expect(countOf(metrics, 'publish_batch')).toBe(1);
    expect(meanOf(metrics, 'publish_batch')).toBe(3);
    expect(countOf(metrics, 'publish_duration')).toBe(1);
    expect(countOf(metrics, 'publish_failures_total')).toBe(0);
  });

  it('counts a message that Pub/Sub does not take as failed, and not its time', async () => {
    const { publisher, metrics } = await start(() => PERMISSION_DENIED);
    await expect(publisher.publish({ meta: { n: 1 } })).rejects.toThrow();
    expect(countOf(metrics, 'publish_failures_total')).toBe(1);
    expect(countOf(metrics, 'publish_duration')).toBe(0);
  });
});
