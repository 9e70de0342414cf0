import { jest } from '@jest/globals';
import { Liveness, type LivenessLimits } from '../../../functions/relay/liveness.ts';
import { secretKeyOf, signEvent } from '../../support/keys.ts';
import { countOf } from '../../support/metrics.ts';
import { startServer } from '../../support/relay-server.ts';
import { until } from '../../support/until.ts';

const KEY = secretKeyOf('liveness');
const LIMITS: LivenessLimits = { pingMs: 30_000, idleMs: 300_000, lifetimeMs: 0 };
const quiet = () => true;
const BUSY = { busy: true, paused: false, quiet };
const latest = () => 0;

/** A connection opened at 0, of which chance makes the longest life and the latest first ping. */
const opened = (limits: Partial<LivenessLimits> = {}) =>
  new Liveness({ ...LIMITS, ...limits }, 0, latest);

describe('the health of a connection', () => {
  it('is well until the time of the first ping', () => {
    const liveness = opened();
    expect(liveness.tick(29_999, 0, BUSY)).toBe('well');
    expect(liveness.tick(30_000, 0, BUSY)).toBe('ping');
  });

  it('is dead when nothing came between two pings', () => {
    const liveness = opened();
    liveness.tick(30_000, 100, BUSY);
    expect(liveness.tick(60_000, 100, BUSY)).toBe('dead');
  });

  it('is well when an answer to the ping came', () => {
    const liveness = opened();
    for (let now = 30_000; now < 900_000; now += 30_000) {
      expect(liveness.tick(now, 0, BUSY)).toBe('ping');
      liveness.heard(now + 100, false);
    }
  });

  it('lets a long message trickle in for a while, but not for ever', () => {
    const liveness = opened();
    const health = [1, 2, 3, 4, 5].map((i) => liveness.tick(i * 30_000, i * 1_000, BUSY));
    expect(health).toEqual(['ping', 'ping', 'ping', 'ping', 'dead']);
  });

  it('does not blame a client that we did not read', () => {
    const liveness = opened();
    liveness.tick(30_000, 100, BUSY);
    expect(liveness.tick(60_000, 100, { ...BUSY, paused: true })).toBe('well');
  });

  it('is idle without a subscription and without a message, whatever pongs come', () => {
    const liveness = opened();
    const free = { ...BUSY, busy: false };
    for (let now = 30_000; now < 300_000; now += 30_000) {
      expect(liveness.tick(now, 0, free)).toBe('ping');
      liveness.heard(now, false);
    }
    expect(liveness.tick(300_000, 0, free)).toBe('idle');
  });

  it('counts idleness from the last message or the end of the last subscription', () => {
    const liveness = opened({ pingMs: 10_000_000 });
    liveness.heard(200_000, true);
    expect(liveness.tick(499_999, 0, { ...BUSY, busy: false })).toBe('well');
    expect(liveness.tick(499_999, 0, BUSY)).toBe('well');
    expect(liveness.tick(799_998, 0, { ...BUSY, busy: false })).toBe('well');
    expect(liveness.tick(799_999, 0, { ...BUSY, busy: false })).toBe('idle');
  });

  const HOUR: LivenessLimits = { ...LIMITS, lifetimeMs: 3_480_000 };
  /** After how many minutes it is too old. */
  const age = (random: number, state = BUSY) => {
    const liveness = new Liveness(HOUR, 0, () => random);
    let now = 0;
    while (liveness.tick(now, now, state) !== 'old') {
      liveness.heard(now, true);
      now += 1_000;
    }
    return now / 60_000;
  };

  it('ends a life of 58 minutes at a quiet moment of the last eighth, spread by chance', () => {
    expect(age(0)).toBeCloseTo(57.03, 1);
    expect(age(0.5)).toBeCloseTo(53.9, 1);
    expect(age(0.999_999)).toBeCloseTo(50.75, 1);
  });

  it('waits about a minute for a quiet moment, and never past the end', () => {
    const never = { ...BUSY, quiet: () => false };
    expect(age(0, never)).toBe(58);
    expect(age(0.999_999, never)).toBeCloseTo(51.72, 1);
  });
});

describe('a connection that is watched', () => {
  it('is destroyed when its client answers no ping', async () => {
    const relay = await startServer({}, { RELAY_PING_SECONDS: 0.1 });
    const wire = await relay.connect();
    (wire.socket as unknown as { _autoPong: boolean })._autoPong = false;
    const { code } = await wire.ended();
    expect(code).toBe(1006);
    await relay.close();
  });

  it('stays when its client answers pings', async () => {
    const relay = await startServer({}, { RELAY_PING_SECONDS: 0.1 });
    const wire = await relay.connect();
    let pings = 0;
    wire.socket.on('ping', () => {
      pings += 1;
    });
    await until(() => pings >= 3, { what: 'three pings' });
    expect(wire.closed).toBeUndefined();
    await relay.close();
  });

  it('answers a ping with what it holds', async () => {
    const relay = await startServer();
    const wire = await relay.connect();
    const pongs: string[] = [];
    wire.socket.on('pong', (data) => pongs.push(data.toString()));
    wire.socket.ping('are you there?');
    await until(() => pongs.length === 1, { what: 'the pong' });
    expect(pongs).toEqual(['are you there?']);
    await relay.close();
  });

  it('is closed politely when it has no subscription for a while', async () => {
    const relay = await startServer({}, { RELAY_IDLE_SECONDS: 0.1 });
    const [idle, busy] = [await relay.connect(), await relay.connect()];
    busy.send(['REQ', 'a', { limit: 0 }]);
    const { code, reason } = await idle.ended();
    expect([code, reason]).toEqual([1001, 'no subscription and no message for a while']);
    expect((await idle.next('NOTICE'))[1]).toMatch(/^closing: /);
    expect(busy.closed).toBeUndefined();
    await relay.close();
  });

  it('is closed for its age only once it has its EOSE and its OK', async () => {
    const chance = jest.spyOn(Math, 'random').mockReturnValue(0);
    let minutes = 0;
    const clock = () => performance.now() + minutes * 60_000;
    const often = { RELAY_NEGENTROPY_IDLE_SECONDS: 0.05 };
    const relay = await startServer({ RELAY_CONNECTION_MINUTES: '60' }, often, clock);
    let go = () => {};
    const held = new Promise<void>((resolve) => {
      go = resolve;
    });
    relay.engine.beforeAnswer = held;
    relay.engine.beforePublish = held;
    const [asking, publishing, free] = [
      await relay.connect(),
      await relay.connect(),
      await relay.connect(),
    ];
    asking.send(['REQ', 'a', { limit: 0 }]);
    publishing.send(['EVENT', signEvent({ kind: 1, created_at: 1_700_000_000 }, KEY)]);
    free.send(['CLOSE', 'nothing']);
    await until(() => relay.engine.open.size === 1 && relay.engine.published.length === 1, {
      what: 'both to be under way',
    });
    minutes = 59.5;
    expect((await free.ended()).reason).toMatch(/^this connection has lasted long enough/);
    expect([asking.closed, publishing.closed]).toEqual([undefined, undefined]);
    go();
    await asking.next('EOSE', 'a');
    expect((await publishing.next('OK'))[2]).toBe(true);
    expect([(await asking.ended()).code, (await publishing.ended()).code]).toEqual([1001, 1001]);
    expect(countOf(relay.metrics, 'disconnects_total', { cause: 'age' })).toBe(3);
    chance.mockRestore();
    await relay.close();
  });

  it('is closed politely at the end of its life, its subscriptions with it', async () => {
    const relay = await startServer({}, { RELAY_CONNECTION_MINUTES: 0.005 });
    const wire = await relay.connect();
    wire.send(['REQ', 'a', { limit: 0 }]);
    await wire.next('EOSE', 'a');
    const [, , message] = await wire.next('CLOSED', 'a');
    expect(message).toMatch(/^error: /);
    expect((await wire.ended()).code).toBe(1001);
    await relay.close();
  });
});
