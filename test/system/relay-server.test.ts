import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { secretKeyOf, signEvent } from '../support/keys.ts';
import { until } from '../support/until.ts';
import { Wire } from '../support/wire.ts';

const MEMORY_RELAY = join(import.meta.dirname, '../support/memory-relay.ts');
const NODE = join(import.meta.dirname, '../../node_modules/.bin/node');
const KEY = secretKeyOf('relay server');

/** What hostile clients may add to the memory that is alive. */
const GROWTH_BYTES_MAX = 80_000_000;

/** Two cores are shared with all other tests: this says that answers come, not how fast. */
const ANSWER_MS_MAX = 10_000;

describe('a relay server among hostile clients', () => {
  let relay: ChildProcess;
  let port: number;
  let url: string;
  let well: Wire;
  let memoryBefore: number;
  const wires: Wire[] = [];
  const sockets: Socket[] = [];

  async function memory(): Promise<number> {
    const told = once(relay, 'message');
    relay.send('memory');
    const [{ memoryBytes }] = (await told) as [{ memoryBytes: number }];
    return memoryBytes;
  }
  async function client(): Promise<Wire> {
    const wire = await Wire.open(url);
    wires.push(wire);
    return wire;
  }
  async function bareSocket(): Promise<Socket> {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    sockets.push(socket);
    await once(socket, 'connect');
    return socket;
  }

  beforeAll(async () => {
    relay = fork(MEMORY_RELAY, {
      execPath: NODE,
      // A heap that would not hold what these clients try to make it hold.
      execArgv: ['--no-warnings', '--expose-gc', '--max-old-space-size=160'],
      env: {
        PATH: process.env['PATH'],
        DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none',
        GOOGLE_CLOUD_PROJECT: 'test-project',
        RELAY_RATE_LIMITS: 'off',
      },
    });
    const [told] = (await once(relay, 'message')) as [{ port: number }];
    port = told.port;
    url = `ws://127.0.0.1:${port}`;
    well = await client();
    await well.works();
    memoryBefore = await memory();
  });
  afterEach(async () => {
    for (const wire of wires.splice(1)) wire.drop();
    for (const socket of sockets.splice(0)) socket.destroy();
    await well.works();
  });
  afterAll(() => {
    well.drop();
    relay.kill();
  });

  /** Keeps asking until the work is over; gives the longest time that an answer took. */
  async function longestAnswerMs(work: Promise<unknown>): Promise<number> {
    let over = false;
    const done = work.finally(() => {
      over = true;
    });
    let longest = 0;
    do {
      const start = performance.now();
      await well.works();
      longest = Math.max(longest, performance.now() - start);
    } while (!over);
    await done;
    return longest;
  }

  it('answers everybody else while one client reads nothing of what it asks for', async () => {
    for (let i = 0; i < 300; i += 1) {
      const content = `${i} ${'x'.repeat(50_000)}`;
      const created_at = Math.floor(Date.now() / 1_000);
      well.send(['EVENT', signEvent({ kind: 1, created_at, content }, KEY)]);
    }
    await until(() => well.messages.length === 300, { what: '300 OKs' });
    well.messages.length = 0;
    const deaf = await client();
    deaf.socket.pause();
    const flood = async () => {
      for (let i = 0; i < 60; i += 1) {
        deaf.send(['REQ', `${i}`, { kinds: [1] }]);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    expect(await longestAnswerMs(flood())).toBeLessThan(ANSWER_MS_MAX);
    expect((await memory()) - memoryBefore).toBeLessThan(GROWTH_BYTES_MAX);
  });

  it('closes a client that sends nonsense and never reads the answers', async () => {
    const deaf = await client();
    deaf.socket.pause();
    let gone = false;
    deaf.socket.on('close', () => {
      gone = true;
    });
    const flood = async () => {
      // About 150 bytes of answer each: the relay must give up long before the end of this.
      for (let i = 0; i < 3_000 && !gone && deaf.socket.readyState === 1; i += 1) {
        for (let j = 0; j < 100; j += 1) deaf.socket.send('nonsense');
        await until(() => gone || deaf.socket.bufferedAmount < 1_000_000, { what: 'a reader' });
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    expect(await longestAnswerMs(flood())).toBeLessThan(ANSWER_MS_MAX);
    expect((await memory()) - memoryBefore).toBeLessThan(GROWTH_BYTES_MAX);
  });

  it.each<[string, string]>([
    ['10,000 filters', `["REQ","a"${',{"kinds":[1]}'.repeat(10_000)}]`],
    ['200 KB of nested arrays', `["REQ","a",${'['.repeat(100_000)}${']'.repeat(100_000)}]`],
    ['200 KB of open brackets', '['.repeat(200_000)],
    ['200 KB of one string', `["REQ","${'x'.repeat(200_000)}",{}]`],
  ])('answers a hundred messages of %s, and others meanwhile', async (_, text) => {
    const hostile = await client();
    const flood = async () => {
      for (let i = 0; i < 100; i += 1) hostile.send(text);
      await until(() => hostile.messages.length === 100, { what: 'a hundred answers' });
    };
    expect(await longestAnswerMs(flood())).toBeLessThan(ANSWER_MS_MAX);
    expect((await memory()) - memoryBefore).toBeLessThan(GROWTH_BYTES_MAX);
    expect(await hostile.works()).toBe(true);
  });

  it('waits for a client that sends byte by byte, and answers it in the end', async () => {
    const socket = await bareSocket();
    socket.setNoDelay(true);
    socket.write(
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    );
    let received = '';
    socket.on('data', (data) => {
      received += data.toString('latin1');
    });
    await until(() => received.includes('\r\n\r\n'), { what: 'the upgrade' });
    const text = '["REQ","slow",{"limit":0}]';
    // A masked text frame whose mask is zero.
    const frame = Buffer.concat([
      Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]),
      Buffer.from(text),
    ]);
    for (const byte of frame) {
      socket.write(Buffer.from([byte]));
      await well.works();
    }
    await until(() => received.includes('["EOSE","slow"]'), { what: 'EOSE' });
  });

  it('gives up a client that sends a large message in tiny pieces', async () => {
    const socket = await bareSocket();
    socket.setNoDelay(true);
    socket.write(
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    );
    await once(socket, 'data');
    // The beginning of a text message in fragments of one byte, of which there may be 1,024.
    let ended = false;
    socket.on('close', () => {
      ended = true;
    });
    socket.resume();
    socket.write(Buffer.from([0x01, 0x81, 0, 0, 0, 0, 0x5b]));
    for (let i = 0; i < 2_000 && !ended; i += 1) {
      socket.write(Buffer.from([0x00, 0x81, 0, 0, 0, 0, 0x5b]));
    }
    await until(() => ended, { what: 'the end of its connection' });
  });

  it('serves others beside hundreds of half-sent requests', async () => {
    const half = await Promise.all(Array.from({ length: 200 }, () => bareSocket()));
    for (const socket of half) socket.write('GET / HTTP/1.1\r\nHost:');
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
    const another = await client();
    expect(await another.works()).toBe(true);
  });
});
