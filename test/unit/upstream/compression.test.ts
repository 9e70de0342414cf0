import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { deflateRawSync } from 'node:zlib';
import { type ConnectOptions, connect } from '../../../functions/upstream/connection.ts';
import { query } from '../../../functions/upstream/query.ts';
import { startScriptedRelay } from '../../support/scripted-relay.ts';
import { signedEvent } from '../../support/signed-events.ts';
import { until } from '../../support/until.ts';

const BOMB_BYTES = 200 * 1_048_576;
/** 200 MB of one letter in about 200 kB. */
const bomb = deflateRawSync(Buffer.alloc(BOMB_BYTES, 'x'));

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A relay that sends a compressed message, whether or not compression was agreed on. */
async function startBomber(agrees: boolean): Promise<string> {
  server = createServer().listen(0, '127.0.0.1');
  server.on('upgrade', (request, socket) => {
    const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const extension = agrees ? 'Sec-WebSocket-Extensions: permessage-deflate\r\n' : '';
    const accept = createHash('sha1').update(key).digest('base64');
    socket.on('error', () => {});
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        `${extension}Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    const head = Buffer.alloc(10);
    head[0] = 0xc1; // the last frame of a text, compressed
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(bomb.length), 2);
    socket.write(Buffer.concat([head, bomb]));
  });
  await until(() => server?.listening, { what: 'the port' });
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function endOf(address: string, options: ConnectOptions) {
  const before = process.memoryUsage().rss;
  const connection = await connect(address, options);
  const failure = await connection.closed;
  return { failure, grownBytes: process.memoryUsage().rss - before };
}

describe('a small message that unfolds to a huge one', () => {
  it('ends the connection before it is in memory where compression was agreed on', async () => {
    const { failure, grownBytes } = await endOf(await startBomber(true), { compression: true });
    expect(failure).toMatchObject({
      code: 'lost',
      message: expect.stringContaining('Max payload size exceeded'),
    });
    expect(grownBytes).toBeLessThan(BOMB_BYTES / 2);
  });

  it('ends the connection at its first byte where it was not', async () => {
    const { failure } = await endOf(await startBomber(false), {});
    expect(failure).toMatchObject({ code: 'lost', message: expect.stringContaining('RSV1') });
  });

  it.each([
    [false, {}],
    [true, {}],
    [false, { compression: true }],
  ])('is not even offered where one side does not want it (%p, %p)', async (theirs, ours) => {
    const relay = await startScriptedRelay({}, 0, theirs);
    const connection = await connect(relay.url, ours);
    await until(() => relay.clients.length > 0, { what: 'the connection' });
    expect(relay.clients[0]?.socket.extensions).toBe('');
    await connection.close();
    await relay.close();
  });
});

describe('compression that both sides want', () => {
  it('costs fewer bytes on the wire than in memory, and both are counted and bounded', async () => {
    const event = signedEvent({ content: 'x'.repeat(20_000) });
    const relay = await startScriptedRelay(
      {
        onMessage([verb, id], client) {
          if (verb !== 'REQ') return;
          client.send(['EVENT', id, event]);
          client.send(['EOSE', id]);
          for (let n = 0; n < 10; n += 1) client.send(['NOTICE', 'y'.repeat(10_000)]);
        },
      },
      0,
      true,
    );
    const limits = { receiveBytesMax: 90_000 };
    const connection = await connect(relay.url, { compression: true, limits });
    for await (const found of query(connection, [{}])) expect(found).toEqual(event);
    expect(connection.messageBytesReceived).toBeGreaterThan(20_000);
    expect(connection.bytesReceived).toBeLessThan(10_000);
    await expect(connection.closed).resolves.toMatchObject({ code: 'misbehaved' });
    await relay.close();
  });
});
