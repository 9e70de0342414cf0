import { eventText } from '../../../functions/nostr/event.ts';
import { secretKeyOf, signEvent } from '../../support/keys.ts';
import { countOf } from '../../support/metrics.ts';
import { startServer, type TestServer } from '../../support/relay-server.ts';
import { until } from '../../support/until.ts';
import type { Wire } from '../../support/wire.ts';

const KEY = secretKeyOf('connection output');
const NOW = Math.floor(Date.now() / 1_000);
const LARGE = signEvent({ kind: 1, created_at: NOW, content: 'x'.repeat(60_000) }, KEY);
const LARGE_TEXT = eventText(LARGE);

/** Puts many events of 60 kB in, under false ids: nobody verifies what is stored. */
function fill(relay: TestServer, count: number): void {
  for (let i = 0; i < count; i += 1) {
    const id = i.toString(16).padStart(64, '0');
    relay.engine.put({ ...LARGE, id }, LARGE_TEXT.replace(LARGE.id, id));
  }
}

/** Sends a live event to every subscription, `count` times. */
function flood(relay: TestServer, count: number): void {
  for (let i = 0; i < count; i += 1) {
    for (const { subscriber, live } of relay.engine.open) if (live) subscriber.event(LARGE_TEXT);
  }
}

async function follow(wire: Wire): Promise<void> {
  wire.send(['REQ', 'live', { kinds: [1], limit: 0 }]);
  await wire.next('EOSE', 'live');
}

describe('what waits for a client', () => {
  let relay: TestServer;
  afterEach(() => relay.close());

  it('is all delivered, in order, when much more is asked for than sockets hold', async () => {
    relay = await startServer({ RELAY_SEND_BYTES_MAX: '300000' });
    fill(relay, 400);
    const wire = await relay.connect();
    wire.send(['REQ', 'much', { kinds: [1] }]);
    const events = await wire.stored('much');
    const ids = Array.from({ length: 400 }, (_, i) => i.toString(16).padStart(64, '0'));
    expect(events.map((event) => (event as { id: string }).id)).toEqual(ids);
    expect(await wire.works()).toBe(true);
  });

  it('ends a stored answer by CLOSED where it is more than may wait, not the connection', async () => {
    relay = await startServer({ RELAY_ANSWER_BYTES_MAX: '9000000' });
    fill(relay, 900);
    const wire = await relay.connect();
    wire.send(['REQ', 'much', { kinds: [1], limit: 900 }]);
    const [, , message] = await wire.next('CLOSED', 'much');
    expect(message).toMatch(/^error: more stored events wait/);
    expect(relay.engine.open.size).toBe(0);
    expect(await wire.works()).toBe(true);
  });

  it('closes a client that reads nothing, and nobody else notices', async () => {
    relay = await startServer({ RELAY_SEND_BYTES_MAX: '1000000' });
    const [deaf, well] = [await relay.connect(), await relay.connect()];
    await follow(deaf);
    await follow(well);
    deaf.socket.pause();
    for (let i = 0; i < 400 && relay.server.connections === 2; i += 1) {
      flood(relay, 10);
      await well.works();
    }
    await until(() => relay.engine.open.size === 1, { what: 'the end of its subscription' });
    await until(() => relay.server.connections === 1, { what: 'the end of its connection' });
    expect(relay.logged.map(({ message }) => message)).toContain(
      'client reads too slowly and is closed',
    );
    expect(countOf(relay.metrics, 'disconnects_total', { cause: 'slow' })).toBe(1);
    expect(await well.works()).toBe(true);
    expect(well.closed).toBeUndefined();
  });

  it('is bounded for all clients together', async () => {
    relay = await startServer({
      RELAY_SEND_TOTAL_BYTES_MAX: '20000000',
      RELAY_ANSWER_BYTES_MAX: '9000000',
    });
    fill(relay, 130);
    const deaf = await Promise.all(Array.from({ length: 4 }, () => relay.connect()));
    const closed: unknown[] = [];
    for (const wire of deaf) {
      wire.send(['REQ', 'much', { kinds: [1] }]);
      wire.socket.pause();
    }
    await until(() => relay.engine.open.size < 4, { what: 'a refused answer' });
    for (const wire of deaf) {
      wire.socket.resume();
      closed.push(await wire.take('an end', ([type]) => type === 'EOSE' || type === 'CLOSED'));
    }
    const refused = closed.filter((message) => (message as string[])[0] === 'CLOSED');
    expect(refused.length).toBeGreaterThanOrEqual(1);
    expect(refused.length).toBeLessThan(4);
  });

  it('goes out in few writes when it comes in one turn', async () => {
    relay = await startServer();
    const wire = await relay.connect();
    await follow(wire);
    const small = eventText(signEvent({ kind: 1, created_at: NOW }, KEY));
    let pieces = 0;
    const { _socket: socket } = wire.socket as unknown as { _socket: NodeJS.ReadableStream };
    socket.on('data', () => {
      pieces += 1;
    });
    for (const { subscriber } of relay.engine.open) {
      for (let i = 0; i < 100; i += 1) subscriber.event(small);
    }
    await until(() => wire.messages.length === 100, { what: 'all events' });
    expect(pieces).toBeLessThan(10);
  });
});
