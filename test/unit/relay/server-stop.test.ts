import { once } from 'node:events';
import { connect } from 'node:net';
import { jest } from '@jest/globals';
import { secretKeyOf, signEvent } from '../../support/keys.ts';
import { countOf } from '../../support/metrics.ts';
import { startServer } from '../../support/relay-server.ts';
import { until } from '../../support/until.ts';
import { Wire } from '../../support/wire.ts';

const KEY = secretKeyOf('server stop');
const note = (content: string) =>
  signEvent({ kind: 1, created_at: Math.floor(Date.now() / 1_000), content }, KEY);

/** All but `setTimeout` and `Date`: sockets go on as ever. */
const NOT_FAKED = [
  'performance',
  'hrtime',
  'nextTick',
  'queueMicrotask',
  'setImmediate',
  'clearImmediate',
  'setInterval',
  'clearInterval',
] as const;

describe('a relay that stops', () => {
  it('answers events under way, ends subscriptions by CLOSED, and closes with 1001', async () => {
    const relay = await startServer();
    let release = () => {};
    relay.engine.beforePublish = new Promise((resolve) => {
      release = resolve;
    });
    const wire = await relay.connect();
    const event = note('under way');
    wire.send(['REQ', 'a', { limit: 0 }], ['EVENT', event]);
    await wire.next('EOSE', 'a');
    await until(() => relay.engine.published.length === 1, { what: 'the event' });
    const stopped = relay.server.stop();
    release();
    await stopped;
    const { code, reason } = await wire.ended();
    expect([code, reason]).toEqual([1001, 'this relay restarts, please connect again']);
    const types = wire.messages.map(([type]) => type);
    expect(types).toContain('OK');
    expect(types.slice(-2)).toEqual(['CLOSED', 'NOTICE']);
    expect(wire.messages.find(([type]) => type === 'CLOSED')).toEqual([
      'CLOSED',
      'a',
      'error: this relay restarts, please connect again',
    ]);
    expect(relay.engine.open.size).toBe(0);
  });

  it('ends many connections one after the other, and serves each until its turn', async () => {
    const relay = await startServer();
    const wires = [];
    for (let count = 0; count < 40; count += 1) wires.push(await relay.connect());
    const [first, last] = [wires.at(0), wires.at(-1)];
    const stopped = relay.server.stop();
    expect((await first?.ended())?.code).toBe(1001);
    expect(relay.server.connections).toBeGreaterThan(1);
    last?.send(['REQ', 'late', { limit: 0 }], ['EVENT', note('before its turn')]);
    expect(await last?.next('EOSE', 'late')).toEqual(['EOSE', 'late']);
    expect((await last?.next('OK'))?.slice(2)).toEqual([true, '']);
    await stopped;
    const ends = await Promise.all(wires.map((wire) => wire.ended()));
    expect(new Set(ends.map(({ code }) => code))).toEqual(new Set([1001]));
    expect(countOf(relay.metrics, 'disconnects_total', { cause: 'stopping' })).toBe(40);
  });

  it('takes nothing new', async () => {
    const relay = await startServer();
    const wire = await relay.connect();
    let release = () => {};
    relay.engine.beforePublish = new Promise((resolve) => {
      release = resolve;
    });
    wire.send(['EVENT', note('holds the stop up')]);
    await until(() => relay.engine.published.length === 1, { what: 'the event' });
    const stopped = relay.server.stop();
    await expect(Wire.open(relay.webSocketUrl)).rejects.toThrow();
    await expect(fetch(relay.url)).rejects.toThrow();
    release();
    await stopped;
  });

  it('gives a client one time for all steps of its end, not one for each', async () => {
    const relay = await startServer({ RELAY_SEND_BYTES_MAX: '60000000' }, {}, () => Date.now());
    relay.engine.beforePublish = new Promise(() => {});
    const wire = await relay.connect();
    wire.send(['REQ', 'live', { limit: 0 }], ['EVENT', note('never answered')]);
    await wire.next('EOSE', 'live');
    await until(() => relay.engine.published.length === 1, { what: 'the event' });
    // It reads nothing either, so that neither of the two that are waited for ever comes.
    wire.socket.pause();
    for (let count = 0; count < 300; count += 1) {
      for (const { subscriber } of relay.engine.open) subscriber.event(`"${'x'.repeat(60_000)}"`);
    }
    jest.useFakeTimers({ doNotFake: [...NOT_FAKED] });
    try {
      const stopped = relay.server.stop();
      // 2.5 s for its end and 1 s for close frames to cross.
      await jest.advanceTimersByTimeAsync(3_600);
      await until(() => relay.server.connections === 0, { what: 'its end', timeoutMs: 2_000 });
      await stopped;
    } finally {
      jest.useRealTimers();
      wire.drop();
    }
  });

  it('does not wait for long on clients that say nothing, at whatever point they stand', async () => {
    const relay = await startServer();
    relay.engine.beforePublish = new Promise(() => {});
    const wire = await relay.connect();
    wire.send(['EVENT', note('never answered')]);
    await until(() => relay.engine.published.length === 1, { what: 'the event' });
    const deaf = await relay.connect();
    deaf.socket.pause();
    const halfRequest = connect(relay.port, '127.0.0.1');
    halfRequest.on('error', () => undefined);
    await once(halfRequest, 'connect');
    halfRequest.write('GET / HTTP/1.1\r\nHost: x\r\n');
    const start = performance.now();
    await relay.server.stop();
    expect(performance.now() - start).toBeLessThan(5_000);
    expect(relay.server.connections).toBe(0);
    halfRequest.destroy();
  });
});
