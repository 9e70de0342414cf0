import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { createGuard } from '../../../functions/upstream/guard.ts';
import {
  type InformationOptions,
  parseInformation,
  readInformation,
} from '../../../functions/upstream/information.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function start(listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function ask(listener: RequestListener, options?: InformationOptions) {
  return readInformation(new URL(`ws://127.0.0.1:${await start(listener)}/path`), options);
}

/** Sends the client elsewhere, then elsewhere again …, and answers at the end of the list. */
function redirecting(locations: readonly string[]): RequestListener {
  let asked = 0;
  return (_, response) => {
    const location = locations[asked];
    asked += 1;
    if (location === undefined) response.end('{"name":"found"}');
    else response.writeHead(302, { location }).end();
  };
}

const document = JSON.stringify({ name: 'x', description: 'y'.repeat(1_000) });

describe("a relay's NIP-11 document", () => {
  it('is asked for at the same address and read', async () => {
    const answer = await ask((request, response) => {
      const isRight =
        request.url === '/path' && request.headers.accept === 'application/nostr+json';
      response.end(JSON.stringify({ limitation: { max_limit: isRight ? 700 : 1 } }));
    });
    expect(answer).toEqual({ ok: true, value: { limitMax: 700 } });
  });

  it('says what a fetcher wants to know', () => {
    const limitation = {
      max_limit: 1_000,
      default_limit: 500,
      max_subscriptions: 20,
      max_filters: 10,
      max_message_length: 65_536,
      auth_required: true,
    };
    expect(
      parseInformation({
        name: 'A\nrelay',
        software: 'git+https://example.com/x.git',
        version: '1.2',
        supported_nips: [1, 11, 42, 67, 77, 77],
        limitation,
        other: 5,
      }),
    ).toEqual({
      name: 'A relay',
      software: 'git+https://example.com/x.git',
      version: '1.2',
      supportedNips: [1, 11, 42, 67, 77],
      limitMax: 1_000,
      limitDefault: 500,
      subscriptionsMax: 20,
      filtersMax: 10,
      messageBytesMax: 65_536,
      authRequired: true,
    });
  });

  it.each([
    null,
    5,
    'text',
    [],
    {},
    { limitation: { max_limit: 'many', auth_required: 'yes', max_subscriptions: -1 } },
    { limitation: { max_limit: 0, default_limit: 1.5, max_filters: 1e300 } },
    { limitation: { max_message_length: 1, max_limit: 1, max_subscriptions: 0, max_filters: -1 } },
    { limitation: { max_message_length: 2_047, max_limit: 9 } },
    { limitation: null, name: 7, software: [], version: {}, supported_nips: '77' },
    { limitation: 'none', name: '' },
  ])('%j says nothing of use, which is no fault', (value) => {
    expect(parseInformation(value)).toEqual({});
  });

  it('keeps the numbers of a list of NIPs and leaves the rest', () => {
    const supported_nips = [1, '77', null, -3, 2.5, 77, '5A'];
    expect(parseInformation({ supported_nips })).toEqual({ supportedNips: [1, 77] });
  });

  it('is none where it is broken, elsewhere or late', async () => {
    expect((await ask((_, response) => response.end('<html>'))).ok).toBe(false);
    expect((await ask((_, response) => response.writeHead(404).end('{}'))).ok).toBe(false);
    const late = { ok: false, reason: 'no NIP-11 document in time' };
    expect(await ask(() => {}, { timeoutMs: 30 })).toEqual(late);
    expect(await ask((_, response) => response.write('{'), { timeoutMs: 30 })).toEqual(late);
    const signal = AbortSignal.timeout(20);
    expect((await ask(() => {}, { signal })).ok).toBe(false);
  });

  it('is cut where it is endless, also when it is small on the wire', async () => {
    const tooLarge = { ok: false, reason: 'NIP-11 document too large' };
    const endless = await ask((_, response) => {
      const more = (): boolean => response.write('x'.repeat(65_536));
      response.on('drain', more);
      more();
    });
    expect(endless).toEqual(tooLarge);
    const bomb = gzipSync(Buffer.alloc(50 * 1_048_576));
    const unfolding = await ask((_, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb),
    );
    expect(unfolding).toEqual(tooLarge);
  });

  it.each([
    ['gzip', gzipSync(document)],
    ['deflate', deflateSync(document)],
    ['br', brotliCompressSync(document)],
  ])('is read though it comes as %s, which was not asked for', async (encoding, body) => {
    const answer = await ask((_, response) =>
      response.writeHead(200, { 'content-encoding': encoding }).end(body),
    );
    expect(answer).toEqual({ ok: true, value: { name: 'x' } });
  });
});

describe('a redirect', () => {
  it('is followed three times and no more', async () => {
    const found = { ok: true, value: { name: 'found' } };
    expect(await ask(redirecting(['/a', '/b', '/c']))).toEqual(found);
    expect(await ask(redirecting(['/a', '/b', '/c', '/d']))).toEqual({
      ok: false,
      reason: 'redirected more than 3 times',
    });
  });

  it.each(['file:///etc/passwd', 'ftp://127.0.0.1/', 'http://', ''])(
    'to %p leads nowhere',
    async (location) => {
      expect((await ask((_, r) => r.writeHead(302, { location }).end())).ok).toBe(false);
    },
  );

  it('is judged each time, by address and by name', async () => {
    const inner: string[] = [];
    const port = await start((request, response) => {
      inner.push(request.url ?? '');
      response.end('{}');
    });
    const resolve = async (name: string) => [
      { address: name === 'rebound.example.com' ? '10.0.0.1' : '127.0.0.1', family: 4 },
    ];
    const guard = createGuard({ allowLoopback: true, resolve });
    const loopback = `http://relay.example.com:${port}/inner`;
    expect((await ask(redirecting([loopback]), { guard })).ok).toBe(true);
    expect(inner).toEqual(['/inner']);
    for (const location of [
      'http://169.254.169.254/computeMetadata/v1/',
      'http://metadata.google.internal/',
      `http://rebound.example.com:${port}/`,
    ]) {
      const answer = await ask(redirecting(['/first', location]), { guard });
      expect(answer).toEqual({ ok: false, reason: expect.stringMatching(/open (addr|inter)/) });
    }
  });

  it('cannot lead to loopback without the test switch', async () => {
    const guard = createGuard();
    expect(await ask(redirecting([]), { guard })).toEqual({
      ok: false,
      reason: '127.0.0.1 is not an open address',
    });
  });
});
