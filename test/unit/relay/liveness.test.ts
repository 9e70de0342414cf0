import { Liveness, type LivenessLimits } from '../../../functions/relay/liveness.ts';
import { startServer } from '../../support/relay-server.ts';
import { until } from '../../support/until.ts';

const LIMITS: LivenessLimits = { pingMs: 30_000, idleMs: 300_000, lifetimeMs: 0 };
const BUSY = { busy: true, paused: false };
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
    expect(liveness.tick(60_000, 100, { busy: true, paused: true })).toBe('well');
  });

  it('is idle without a subscription and without a message, whatever pongs come', () => {
    const liveness = opened();
    const free = { busy: false, paused: false };
    for (let now = 30_000; now < 300_000; now += 30_000) {
      expect(liveness.tick(now, 0, free)).toBe('ping');
      liveness.heard(now, false);
    }
    expect(liveness.tick(300_000, 0, free)).toBe('idle');
  });

  it('counts idleness from the last message or the end of the last subscription', () => {
    const liveness = opened({ pingMs: 10_000_000 });
    liveness.heard(200_000, true);
    expect(liveness.tick(499_999, 0, { busy: false, paused: false })).toBe('well');
    expect(liveness.tick(499_999, 0, BUSY)).toBe('well');
    expect(liveness.tick(799_998, 0, { busy: false, paused: false })).toBe('well');
    expect(liveness.tick(799_999, 0, { busy: false, paused: false })).toBe('idle');
  });

  it('ends a life between seven eighths and the whole of its length', () => {
    const ends = (random: number) => {
      const liveness = new Liveness({ ...LIMITS, lifetimeMs: 3_480_000 }, 0, () => random);
      let now = 0;
      while (liveness.tick(now, now, BUSY) !== 'old') {
        liveness.heard(now, true);
        now += 1_000;
      }
      return now / 60_000;
    };
    expect(ends(0)).toBe(58);
    expect(ends(0.999_999)).toBeCloseTo(50.75, 1);
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
