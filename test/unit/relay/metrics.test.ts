import type { Socket } from 'node:net';
import type { MetricName } from '../../../functions/cloud/metrics/catalogue.ts';
import type { NostrEvent } from '../../../functions/nostr/event.ts';
import type { RelayConfiguration } from '../../../functions/relay/configuration.ts';
import { secretKeyOf, signEvent } from '../../support/keys.ts';
import { countOf, meanOf } from '../../support/metrics.ts';
import { startServer, type TestServer } from '../../support/relay-server.ts';
import { until } from '../../support/until.ts';
import { Wire } from '../../support/wire.ts';

const KEY = secretKeyOf('relay metrics');
const now = () => Math.floor(Date.now() / 1_000);
const sign = (given: Partial<NostrEvent>) =>
  signEvent({ kind: 1, created_at: now(), ...given }, KEY);

let relay: TestServer;
afterEach(() => relay.close());

const count = (name: MetricName, labels: Record<string, string> = {}) =>
  countOf(relay.metrics, name, labels);
const reached = (wanted: number, name: MetricName, labels: Record<string, string> = {}) =>
  until(() => count(name, labels) === wanted, { what: `${name} at ${wanted}` });

async function publish(wire: Wire, ...events: readonly NostrEvent[]): Promise<void> {
  for (const event of events) {
    wire.send(['EVENT', event]);
    await wire.next('OK', event.id);
  }
}

describe('metrics of EVENTs', () => {
  it('are there at zero before the first one, as far as alerts are made of them', async () => {
    relay = await startServer();
    expect(count('success_total')).toBe(0);
    for (const reason of ['error', 'unavailable', 'unpublished']) {
      expect(count('fail_total', { reason })).toBe(0);
    }
    expect(count('websocket_connections')).toBe(0);
    expect(count('connections_total', { outcome: 'opened' })).toBe(0);
    expect(count('disconnects_total', { cause: 'slow' })).toBe(0);
  });

  it('count each by the class of its kind and by what became of it', async () => {
    relay = await startServer({ RELAY_KINDS_DENIED: '4' });
    const wire = await relay.connect();
    const note = sign({});
    const old = sign({ kind: 0, created_at: now() - 9 });
    await publish(wire, note, note, sign({ kind: 0 }), old, sign({ kind: 20_001 }));
    await publish(wire, sign({ kind: 4 }), { ...sign({ kind: 30_023 }), sig: '0'.repeat(128) });
    const events = (kind_class: string, outcome: string) =>
      count('events_total', { kind_class, outcome });
    expect(events('regular', 'accepted')).toBe(1);
    expect(events('regular', 'duplicate')).toBe(1);
    expect(events('replaceable', 'accepted')).toBe(1);
    expect(events('replaceable', 'superseded')).toBe(1);
    expect(events('ephemeral', 'accepted')).toBe(1);
    expect(events('regular', 'blocked')).toBe(1);
    expect(events('addressable', 'invalid')).toBe(1);
  });

  it('count OK true as success, OK false as failure with its reason, and time both', async () => {
    relay = await startServer();
    const wire = await relay.connect();
    const note = sign({});
    await publish(wire, note, note, { ...sign({ content: 'x' }), sig: '0'.repeat(128) });
    expect(count('success_total')).toBe(2);
    expect(count('fail_total', { reason: 'invalid' })).toBe(1);
    expect(count('process_duration')).toBe(3);
  });

  it('count an engine that fails as our error', async () => {
    relay = await startServer();
    relay.engine.beforePublish = Promise.reject(new Error('broken'));
    relay.engine.beforePublish.catch(() => undefined);
    await publish(await relay.connect(), sign({}));
    expect(count('fail_total', { reason: 'error' })).toBe(1);
  });

  it('count one that comes while we stop as unavailable, and not as our error', async () => {
    relay = await startServer();
    const { engine, server } = relay;
    const wire = await relay.connect();
    let stopped: Promise<void> | undefined;
    engine.publish = async () => {
      stopped = server.stop();
      return { accepted: true, message: '', outcome: 'accepted' };
    };
    const late = sign({ content: 'late' });
    // Both in one piece, so that the second is read although no more is.
    const { _socket: socket } = wire.socket as unknown as { _socket: Socket };
    socket.cork();
    wire.send(['EVENT', sign({ content: 'first' })], ['EVENT', late]);
    socket.uncork();
    expect(await wire.next('OK', late.id)).toMatchObject({ 2: false });
    await stopped;
    const of = (outcome: string) => count('events_total', { kind_class: 'regular', outcome });
    expect(of('unavailable')).toBe(1);
    expect(count('fail_total', { reason: 'unavailable' })).toBe(1);
    expect(count('fail_total', { reason: 'error' })).toBe(0);
  });

  it('count one that cannot be read as invalid and of no known kind, and no other nonsense', async () => {
    relay = await startServer({ RELAY_MESSAGE_BYTES_MAX: '2000', EVENT_BYTES_MAX: '1900' });
    const wire = await relay.connect();
    const event = sign({ content: 'x'.repeat(3_000) });
    wire.send(['EVENT', event]);
    await wire.next('OK', event.id);
    wire.send('nonsense', ['AUTH', sign({ kind: 22_242 })]);
    await wire.next('NOTICE');
    await wire.next('OK');
    const invalid = { kind_class: 'unknown', outcome: 'invalid' };
    expect(count('events_total', invalid)).toBe(1);
    expect(count('process_duration')).toBe(1);
  });

  it('time the check of a signature, and of nothing that is refused before', async () => {
    relay = await startServer({ RELAY_KINDS_DENIED: '4' });
    await publish(await relay.connect(), sign({}), sign({ kind: 4 }));
    expect(count('verify_duration')).toBe(1);
    // Microseconds: no machine checks a signature in less than one.
    expect(meanOf(relay.metrics, 'verify_duration')).toBeGreaterThan(1);
  });

  it('count what rates refuse, events and requests apart', async () => {
    relay = await startServer({
      RELAY_RATE_LIMITS: 'on',
      RELAY_EVENTS_PER_SECOND: '1',
      RELAY_EVENTS_BURST: '1',
      RELAY_REQUESTS_PER_SECOND: '1',
      RELAY_REQUESTS_BURST: '1',
    });
    const wire = await relay.connect();
    await publish(wire, sign({}), sign({ content: '2' }), sign({ content: '3' }));
    wire.send(['REQ', 'a', { limit: 0 }], ['REQ', 'b', { limit: 0 }]);
    await wire.next('CLOSED', 'b');
    expect(count('rate_limited_total', { what: 'event' })).toBe(2);
    expect(count('rate_limited_total', { what: 'request' })).toBe(1);
    expect(count('fail_total', { reason: 'rate-limited' })).toBe(2);
  });
});

describe('metrics of connections', () => {
  it('count what opens, is open and is refused', async () => {
    relay = await startServer({ RELAY_CONNECTIONS_MAX: '1' });
    await relay.connect();
    await Wire.open(relay.webSocketUrl).catch(() => undefined);
    expect(count('connections_total', { outcome: 'opened' })).toBe(1);
    expect(count('connections_total', { outcome: 'full' })).toBe(1);
    expect(count('websocket_connections')).toBe(1);
  });

  it('count a refusal for its address apart from a full relay', async () => {
    const given = { RELAY_RATE_LIMITS: 'on', RELAY_CONNECTIONS_PER_ADDRESS: '1' };
    relay = await startServer(given);
    await relay.connect();
    await Wire.open(relay.webSocketUrl).catch(() => undefined);
    expect(count('connections_total', { outcome: 'address' })).toBe(1);
  });

  it('say that the client left where it did', async () => {
    relay = await startServer();
    (await relay.connect()).socket.close();
    await reached(1, 'disconnects_total', { cause: 'client' });
  });

  it('say that the protocol was broken where a message is beyond all bounds', async () => {
    relay = await startServer({ RELAY_MESSAGE_BYTES_MAX: '2000', EVENT_BYTES_MAX: '1900' });
    (await relay.connect()).send('x'.repeat(10_000));
    await reached(1, 'disconnects_total', { cause: 'protocol' });
  });

  it.each([
    ['idle', { RELAY_IDLE_SECONDS: 0.1 }],
    ['age', { RELAY_CONNECTION_MINUTES: 0.002 }],
  ] as [string, Partial<RelayConfiguration>][])(
    'say that we ended it: %s',
    async (cause, overrides) => {
      relay = await startServer({}, overrides);
      await relay.connect();
      await reached(1, 'disconnects_total', { cause });
      expect(count('disconnects_total', { cause: 'client' })).toBe(0);
    },
  );

  it('say that a client was dead where it answers no ping', async () => {
    relay = await startServer({}, { RELAY_PING_SECONDS: 0.05 });
    (await relay.connect()).socket.pause();
    await reached(1, 'disconnects_total', { cause: 'dead' });
  });

  it('say that we stopped', async () => {
    relay = await startServer();
    await relay.connect();
    await relay.server.stop();
    expect(count('disconnects_total', { cause: 'stopping' })).toBe(1);
  });

  it('count the bytes of both directions, those of the last moment too', async () => {
    relay = await startServer();
    const wire = await relay.connect();
    const event = sign({ content: 'x'.repeat(5_000) });
    await publish(wire, event);
    wire.send(['REQ', 'a', { ids: [event.id] }]);
    await wire.next('EOSE', 'a');
    wire.drop();
    await until(() => count('websocket_connections') === 0, { what: 'the end of the connection' });
    expect(count('received_bytes_total')).toBeGreaterThan(5_000);
    expect(count('received_bytes_total')).toBeLessThan(10_000);
    expect(count('sent_bytes_total')).toBeGreaterThan(5_000);
    expect(count('sent_bytes_total')).toBeLessThan(10_000);
  });
});
