import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readInformation } from '../../../functions/upstream/information.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function ask(listener: RequestListener, timeoutMs?: number) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return readInformation(new URL(`ws://127.0.0.1:${port}/path`), timeoutMs);
}

describe("a relay's NIP-11 document", () => {
  it('is asked for at the same address and read', async () => {
    const answer = await ask((request, response) => {
      const isRight =
        request.url === '/path' && request.headers.accept === 'application/nostr+json';
      response.end(JSON.stringify({ limitation: { max_limit: isRight ? 700 : 1 } }));
    });
    expect(answer).toEqual({ ok: true, value: { limitMax: 700 } });
  });

  it('says who the relay is and what it speaks, where that is of the right type', async () => {
    const said = { name: 'A\nB', software: 'x', supported_nips: [1, 77, '42', -1, null] };
    expect(await ask((_, response) => response.end(JSON.stringify(said)))).toEqual({
      ok: true,
      value: { name: 'A B', software: 'x', supportedNips: [1, 77] },
    });
    const wrong = { name: 5, software: {}, supported_nips: 'all' };
    expect(await ask((_, response) => response.end(JSON.stringify(wrong)))).toEqual({
      ok: true,
      value: {},
    });
  });

  it.each(['null', '{}', '{"limitation":{"max_limit":"many"}}', '{"limitation":{"max_limit":0}}'])(
    '%s names no limit',
    async (text) => {
      expect(await ask((_, response) => response.end(text))).toEqual({ ok: true, value: {} });
    },
  );

  it('is none where it is too large, broken, elsewhere or late', async () => {
    const endless = await ask((_, response) => {
      const more = (): boolean => response.write('x'.repeat(65_536));
      response.on('drain', more);
      more();
    });
    expect(endless).toEqual({ ok: false, reason: 'NIP-11 document too large' });
    expect((await ask((_, response) => response.end('<html>'))).ok).toBe(false);
    const moved: RequestListener = (_, response) =>
      response.writeHead(302, { location: '/' }).end();
    expect((await ask(moved)).ok).toBe(false);
    expect((await ask((_, response) => response.writeHead(404).end('{}'))).ok).toBe(false);
    expect((await ask(() => {}, 30)).ok).toBe(false);
  });
});
