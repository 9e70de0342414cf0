import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Filter } from '../../../functions/nostr/filter.ts';
import { type Connection, connect, type Fault } from '../../../functions/upstream/connection.ts';
import { UpstreamFailure } from '../../../functions/upstream/failure.ts';
import { query } from '../../../functions/upstream/query.ts';
import type { Item, Subscription } from '../../../functions/upstream/subscription.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import {
  type Script,
  type ScriptedRelay,
  startScriptedRelay,
} from '../../support/scripted-relay.ts';
import { signedEvent } from '../../support/signed-events.ts';
import { until } from '../../support/until.ts';

const relays: ScriptedRelay[] = [];
const connections: Connection[] = [];
let faults: Fault[] = [];

async function open(script: Script, options: Parameters<typeof connect>[1] = {}) {
  const relay = await startScriptedRelay(script);
  relays.push(relay);
  const connection = await connect(relay.url, {
    onFault: (fault) => faults.push(fault),
    ...options,
  });
  connections.push(connection);
  return { relay, connection };
}

afterEach(async () => {
  await Promise.all(connections.splice(0).map((connection) => connection.close()));
  await Promise.all(relays.splice(0).map((relay) => relay.close()));
  faults = [];
});

async function items(subscription: Subscription, count: number): Promise<Item[]> {
  const taken: Item[] = [];
  for await (const item of subscription) {
    taken.push(item);
    if (taken.length === count) break;
  }
  return taken;
}

async function stored(connection: Connection, filter: Filter) {
  const events = [];
  for await (const event of query(connection, [filter])) events.push(event);
  return events;
}

const failsWith = (code: string) => expect.objectContaining({ name: 'UpstreamFailure', code });

describe('connecting', () => {
  it.each([
    'http://127.0.0.1',
    'localhost:8080',
    'ws://user:secret@127.0.0.1',
    'ws://127.0.0.1/#here',
    '',
  ])('is refused to %p', async (address) => {
    await expect(connect(address)).rejects.toEqual(failsWith('unreachable'));
  });

  it('to a port where nobody listens fails with a reason', async () => {
    const relay = await startScriptedRelay({});
    await relay.close();
    await expect(connect(relay.url)).rejects.toThrow(/cannot reach .*ECONNREFUSED/);
  });

  it('to one that takes the connection and says nothing ends after the handshake time', async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    await until(() => server.listening, { what: 'the port' });
    const address = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const limits = { handshakeTimeoutMs: 50 };
    await expect(connect(address, { limits })).rejects.toThrow(/no WebSocket within 0.05 s/);
    const aborted = connect(address, { signal: AbortSignal.timeout(20) });
    await expect(aborted).rejects.toEqual(failsWith('closed'));
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  it('to a web server that redirects follows nothing', async () => {
    const target = await startScriptedRelay({});
    relays.push(target);
    const server = createServer((socket) => {
      socket.end(`HTTP/1.1 302 Found\r\nLocation: ${target.url}\r\nContent-Length: 0\r\n\r\n`);
    }).listen(0, '127.0.0.1');
    await until(() => server.listening, { what: 'the port' });
    const { port } = server.address() as AddressInfo;
    await expect(connect(`ws://127.0.0.1:${port}`)).rejects.toThrow(/HTTP 302/);
    expect(target.clients).toHaveLength(0);
    server.close();
  });
});

describe('publishing', () => {
  it('gives the OK of each event, whatever their order', async () => {
    const events = [1, 2, 3].map((n) => signedEvent({ content: String(n) }));
    const { connection, relay } = await open({
      onMessage(_, client) {
        if (client.said.length < 3) return;
        client.send(['OK', events[2]?.id, false, 'blocked: no']);
        client.send(['OK', 'f'.repeat(64), true, '']);
        client.send(['OK', events[0]?.id, true, '']);
        client.send(['OK', events[1]?.id, true, 'duplicate: known']);
      },
    });
    await expect(Promise.all(events.map((event) => connection.publish(event)))).resolves.toEqual([
      { accepted: true, message: '' },
      { accepted: true, message: 'duplicate: known' },
      { accepted: false, message: 'blocked: no' },
    ]);
    expect(relay.said('EVENT').map(([, event]) => event)).toEqual(events);
  });

  it('of one event twice gives each its own OK', async () => {
    const event = signedEvent();
    const { connection } = await open({
      onMessage: (_, client) =>
        client.send(['OK', event.id, true, client.said.length === 1 ? '' : 'duplicate:']),
    });
    const [first, second] = await Promise.all([
      connection.publish(event),
      connection.publish(event),
    ]);
    expect([first?.message, second?.message]).toEqual(['', 'duplicate:']);
  });

  it('fails when no OK comes in time, and when the connection is cut', async () => {
    const { connection } = await open({}, { limits: { publishTimeoutMs: 30 } });
    await expect(connection.publish(signedEvent())).rejects.toEqual(failsWith('timeout'));
    const cut = await open({ onMessage: (_, client) => client.cut() });
    await expect(cut.connection.publish(signedEvent())).rejects.toEqual(failsWith('lost'));
    await expect(cut.connection.publish(signedEvent())).rejects.toEqual(failsWith('lost'));
    expect(() => cut.connection.subscribe([{}])).toThrow(UpstreamFailure);
  });

  it('waits for room when the relay does not read, and goes on when it does', async () => {
    const { connection, relay } = await open(
      {
        onConnect: (client) => client.socket.pause(),
        onMessage: ([, event], client) =>
          client.send(['OK', (event as { id: string }).id, true, '']),
      },
      { limits: { sendBytesMax: 100_000 } },
    );
    const events = Array.from({ length: 100 }, (_, n) =>
      signedEvent({ content: `${n}${'x'.repeat(90_000)}` }),
    );
    const answers = Promise.all(events.map((event) => connection.publish(event)));
    await until(() => relay.clients.length > 0, { what: 'the connection' });
    relay.clients[0]?.socket.resume();
    expect((await answers).filter(({ accepted }) => accepted)).toHaveLength(100);
  });
});

describe('a subscription', () => {
  const [first, second] = [1, 2].map((n) => signedEvent({ content: `event ${n}` }));

  it('brings events, EOSE once, live events and CLOSED in their order', async () => {
    const { connection } = await open({
      onMessage([, id], client) {
        client.send(['EVENT', id, first]);
        client.send(['EOSE', id]);
        client.send(['EOSE', id]);
        client.send(['NOTICE', 'beware']);
        client.send(['EVENT', id, second]);
        client.send(['CLOSED', id, 'error: tired']);
        client.send(['EVENT', id, first]);
      },
    });
    await expect(items(connection.subscribe([{}]), 9)).resolves.toEqual([
      { type: 'event', event: first },
      { type: 'eose' },
      { type: 'event', event: second },
      { type: 'closed', message: 'error: tired' },
    ]);
    expect(faults).toEqual([]);
  });

  it('drops and counts what was not asked for or is not genuine', async () => {
    const genuine = signedEvent({ kind: 1, created_at: 100, content: 'good' });
    const { connection } = await open(
      {
        onMessage([, id], client) {
          client.send(['EVENT', id, { ...genuine, content: 'forged' }]);
          client.send(['EVENT', id, { ...genuine, sig: 'a'.repeat(128) }]);
          client.send(['EVENT', id, signedEvent({ kind: 7, created_at: 100 })]);
          client.send(['EVENT', id, signedEvent({ kind: 1, created_at: 101 })]);
          client.send(['EVENT', id, { kind: 1 }]);
          client.send(['EVENT', id]);
          client.send(['EVENT', 's99', genuine]);
          client.send(['EVENT', id, signedEvent({ created_at: 100, content: 'x'.repeat(2_000) })]);
          client.send('gibberish');
          client.send(Buffer.from([0, 255]));
          client.send(['EVENT', id, genuine]);
          client.send(['EOSE', id]);
        },
      },
      { limits: { eventBytesMax: 1_500 } },
    );
    await expect(stored(connection, { kinds: [1], until: 100 })).resolves.toEqual([genuine]);
    expect(faults.map(({ reason }) => reason)).toEqual([
      'id or signature is wrong',
      'id or signature is wrong',
      'event does not match the filter',
      'event does not match the filter',
      'id must be 64 lowercase hex characters',
      'event must be a JSON object',
      'EVENT for a subscription that never was',
      expect.stringMatching(/^event of 2\d\d\d bytes$/),
      'message is not JSON',
      'binary message',
    ]);
    expect(connection.faults).toBe(10);
  });

  it('does not check signatures when told not to', async () => {
    const forged = { ...signedEvent(), content: 'forged' };
    const { connection } = await open(
      { onMessage: ([, id], client) => client.send(['EVENT', id, forged]) },
      { verifier: 'none' },
    );
    await expect(items(connection.subscribe([{}]), 1)).resolves.toHaveLength(1);
  });

  it('takes no more stored events than its limit', async () => {
    const { connection } = await open({
      onMessage([, id], client) {
        for (const event of [first, second]) client.send(['EVENT', id, event]);
        client.send(['EOSE', id]);
      },
    });
    await expect(stored(connection, { limit: 1 })).resolves.toEqual([first]);
    expect(faults).toEqual([{ reason: 'more events than the limit allows', subscription: 's1' }]);
  });

  it('is closed at the relay when its reader leaves', async () => {
    const { connection, relay } = await open({
      onMessage: ([, id], client) => client.send(['EVENT', id, first]),
    });
    await items(connection.subscribe([{}]), 1);
    await until(() => relay.said('CLOSE').length > 0, { what: 'CLOSE' });
    expect(relay.said('CLOSE')).toEqual([['CLOSE', 's1']]);
  });

  it('ends quietly when it is closed while its reader waits', async () => {
    const { connection } = await open({});
    const subscription = connection.subscribe([{}]);
    const reading = items(subscription, 1);
    subscription.close();
    await expect(reading).resolves.toEqual([]);
  });

  it('fails when the relay is silent before EOSE', async () => {
    const { connection } = await open(
      { onMessage: ([, id], client) => client.send(['EVENT', id, first]) },
      { limits: { quietTimeoutMs: 30 } },
    );
    await expect(stored(connection, {})).rejects.toThrow(/no event and no EOSE/);
  });

  it('may be silent for as long as it likes after EOSE', async () => {
    const clock = new ManualClock();
    const limits = { quietTimeoutMs: 40, idleTimeoutMs: 1_000_000 };
    const { connection, relay } = await open(
      { onMessage: ([, id], client) => client.send(['EOSE', id]) },
      { limits, clock },
    );
    const reader = connection.subscribe([{}])[Symbol.asyncIterator]();
    expect((await reader.next()).value).toEqual({ type: 'eose' });
    clock.advance(10_000);
    relay.clients[0]?.send(['EVENT', 's1', first]);
    expect((await reader.next()).value).toEqual({ type: 'event', event: first });
  });

  it('gives what it has and then fails when the connection is cut in the middle', async () => {
    const { connection } = await open({
      onMessage([, id], client) {
        client.send(['EVENT', id, first]);
        client.socket.send('["EVENT"', { fin: false }, () => client.cut());
      },
    });
    const seen: Item[] = [];
    const reading = (async () => {
      for await (const item of connection.subscribe([{}])) seen.push(item);
    })();
    await expect(reading).rejects.toEqual(failsWith('lost'));
    expect(seen).toEqual([{ type: 'event', event: first }]);
    await expect(connection.closed).resolves.toEqual(failsWith('lost'));
  });

  it('refused by the relay makes a query throw its words', async () => {
    const { connection } = await open({
      onMessage: ([, id], client) => client.send(['CLOSED', id, 'restricted: members only']),
    });
    await expect(stored(connection, {})).rejects.toThrow('restricted: members only');
  });

  it('whose reader is slow holds the relay back, and loses nothing', async () => {
    const clock = new ManualClock();
    const many = Array.from({ length: 3_000 }, (_, n) => ({ ...first, content: `${n}` }));
    const padding = 'x'.repeat(8_000);
    const { connection, relay } = await open(
      {
        onMessage([verb, id], client) {
          if (verb !== 'REQ') return;
          for (const event of many) client.send(['EVENT', id, { ...event, padding }]);
          client.send(['EOSE', id]);
        },
      },
      { verifier: 'none', limits: { bufferItemsMax: 50 }, clock },
    );
    const reader = connection.subscribe([{}])[Symbol.asyncIterator]();
    await reader.next();
    // 24 MB that nobody reads cannot all be on our side: the rest waits at the relay.
    await until(() => connection.paused, { what: 'the pause' });
    // Our not reading is not taken for the relay's silence.
    clock.advance(300_000);
    expect(relay.clients[0]?.socket.bufferedAmount).toBeGreaterThan(1_000_000);
    let count = 1;
    while ((await reader.next()).value?.type === 'event') count += 1;
    expect(count).toBe(3_000);
    expect(connection.failure).toBeUndefined();
  });
});

describe('a connection', () => {
  it('counts its bytes in both directions', async () => {
    const event = signedEvent({ content: 'x'.repeat(10_000) });
    const { connection } = await open({
      onMessage([, id], client) {
        client.send(['EVENT', id, event]);
        client.send(['EOSE', id]);
      },
    });
    await stored(connection, {});
    expect(connection.messageBytesReceived).toBeGreaterThan(10_000);
    expect(connection.bytesReceived).toBeGreaterThan(connection.messageBytesReceived);
    expect(connection.bytesSent).toBeGreaterThan(100);
    const { bytesReceived } = connection;
    await connection.close();
    expect(connection.bytesReceived).toBeGreaterThanOrEqual(bytesReceived);
  });

  it('is given up when the relay has sent more than it may in all', async () => {
    const limits = { receiveBytesMax: 50_000 };
    const notices = await open(
      {
        onConnect(client) {
          for (let n = 0; n < 20; n += 1) client.send(['NOTICE', 'x'.repeat(10_000)]);
        },
      },
      { limits },
    );
    await expect(notices.connection.closed).resolves.toMatchObject({
      code: 'misbehaved',
      message: 'relay sent more than 50000 bytes',
    });
    expect(notices.connection.messageBytesReceived).toBeLessThan(70_000);
    const pings = await open(
      {
        onConnect({ socket }) {
          for (let n = 0; n < 1_000; n += 1) socket.ping('x'.repeat(100));
        },
      },
      { limits: { ...limits, pongsMax: 1_000 } },
    );
    await expect(pings.connection.closed).resolves.toMatchObject({
      code: 'misbehaved',
      message: 'relay sent more than 50000 bytes',
    });
  });

  it('answers a ping with what it holds', async () => {
    const pongs: string[] = [];
    await open({
      onConnect({ socket }) {
        socket.on('pong', (data) => pongs.push(data.toString()));
        socket.ping('are you there?');
      },
    });
    await until(() => pongs.length === 1, { what: 'the pong' });
    expect(pongs).toEqual(['are you there?']);
  });

  it('is given up by name when the relay floods it with pings', async () => {
    const { connection } = await open({
      onConnect({ socket }) {
        for (let n = 0; n < 10_000; n += 1) socket.ping();
      },
    });
    await expect(connection.closed).resolves.toMatchObject({
      code: 'misbehaved',
      message: 'relay floods us with pings',
    });
  });

  it('is given up when the relay answers no ping', async () => {
    const { connection } = await open(
      { onConnect: ({ socket }) => socket.pause() },
      { limits: { pingIntervalMs: 10, idleTimeoutMs: 40 } },
    );
    await expect(connection.closed).resolves.toEqual(failsWith('timeout'));
  });

  it('is given up at a message above the bound, before it is in memory', async () => {
    const { connection } = await open(
      { onConnect: (client) => client.send('x'.repeat(20_000)) },
      { limits: { frameBytesMax: 10_000 } },
    );
    const failure = await connection.closed;
    expect(failure).toEqual(failsWith('lost'));
    expect(failure.message).toMatch(/Max payload size exceeded/);
  });

  it('is given up after too many faults', async () => {
    const { connection } = await open(
      {
        onConnect(client) {
          for (let n = 0; n < 20; n += 1) client.send('nonsense');
        },
      },
      { limits: { faultsMax: 10 } },
    );
    const failure = await connection.closed;
    expect(failure).toEqual(failsWith('misbehaved'));
    expect(failure.message).toBe('relay sent 11 things it must not, last: message is not JSON');
  });

  it('hands on notices as one clean line', async () => {
    const notices: string[] = [];
    await open(
      { onConnect: (client) => client.send(['NOTICE', 'a\nb\u001b[2J']) },
      { onNotice: (notice) => notices.push(notice) },
    );
    await until(() => notices.length > 0, { what: 'the notice' });
    expect(notices).toEqual(['a b [2J']);
  });

  it('closes within its time although the relay does not answer the close', async () => {
    const { connection } = await open(
      { onConnect: ({ socket }) => socket.pause() },
      { limits: { closeTimeoutMs: 30 } },
    );
    const waiting = expect(connection.publish(signedEvent())).rejects.toEqual(failsWith('closed'));
    await connection.close();
    await waiting;
    await expect(connection.closed).resolves.toEqual(failsWith('closed'));
  });
});
