import { request } from 'node:http';
import { startServer, type TestServer } from '../../support/relay-server.ts';
import { Wire } from '../../support/wire.ts';

const NIP_11 = { accept: 'application/nostr+json' };

describe('the HTTP side of the relay', () => {
  let relay: TestServer;
  beforeAll(async () => {
    relay = await startServer({
      RELAY_NAME: 'Tom & <Jerry>',
      RELAY_CONTACT: 'javascript:alert(1)',
      RELAY_TRUSTED_PROXIES: '1',
    });
  });
  afterAll(() => relay.close());

  /** What a bare GET gives; fetch may not set Host. */
  async function page(headers: Record<string, string>): Promise<string> {
    return new Promise((resolve, reject) => {
      const asked = request({ port: relay.port, host: '127.0.0.1', headers }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (piece) => {
          text += piece;
        });
        response.on('end', () => resolve(text));
      });
      asked.on('error', reject);
      asked.end();
    });
  }

  it('gives the document of NIP-11 at the path of the WebSocket, readable from any origin', async () => {
    const response = await fetch(relay.url, { headers: NIP_11 });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/nostr+json');
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    expect(response.headers.get('access-control-allow-headers')).toBe('*');
    expect(response.headers.get('access-control-allow-methods')).toContain('GET');
    expect(await response.json()).toMatchObject({ name: 'Tom & <Jerry>', version: '1.2.3' });
  });

  it.each(['text/html, Application/Nostr+JSON;q=0.5', 'application/nostr+json; charset=utf-8'])(
    'finds the type of NIP-11 in Accept: %s',
    async (accept) => {
      const response = await fetch(relay.url, { headers: { accept } });
      expect(response.headers.get('content-type')).toBe('application/nostr+json');
    },
  );

  it('answers the question of a browser before it asks from another origin', async () => {
    const response = await fetch(relay.url, { method: 'OPTIONS' });
    expect(response.status).toBe(204);
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    expect(response.headers.get('access-control-allow-headers')).toBe('*');
  });

  it('shows people a page, with names escaped and no link to a script', async () => {
    const response = await fetch(relay.url, { headers: { accept: 'text/html,*/*;q=0.8' } });
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    const html = await response.text();
    expect(html).toContain('<h1>Tom &amp; &lt;Jerry&gt;</h1>');
    expect(html).toContain('javascript:alert(1)');
    expect(html).not.toContain('href="javascript');
    expect(html).toContain(`ws://127.0.0.1:${relay.port}`);
  });

  it('shows the address under which a visitor came through the proxy', async () => {
    const html = await page({ host: 'relay.example.com', 'x-forwarded-proto': 'https' });
    expect(html).toContain('<code>wss://relay.example.com</code>');
    const forwarded = await page({
      host: 'internal',
      'x-forwarded-host': 'outside.example.com',
      'x-forwarded-proto': 'https',
    });
    expect(forwarded).toContain('<code>wss://outside.example.com</code>');
  });

  it('shows no host that is none', async () => {
    const html = await page({ host: '"><script>' });
    expect(html).not.toContain('<script');
  });

  it('says that it lives, and that it is ready only when the engine is', async () => {
    expect((await fetch(`${relay.url}/healthz`)).status).toBe(200);
    expect((await fetch(`${relay.url}/readyz`)).status).toBe(200);
    relay.engine.ready = false;
    expect((await fetch(`${relay.url}/readyz`)).status).toBe(503);
    expect((await fetch(`${relay.url}/healthz`)).status).toBe(200);
    relay.engine.ready = true;
  });

  it('answers HEAD like GET, without the body', async () => {
    const [head, get] = await Promise.all(
      ['HEAD', 'GET'].map((method) => fetch(relay.url, { method, headers: NIP_11 })),
    );
    expect(head?.status).toBe(200);
    expect(head?.headers.get('content-length')).toBe(get?.headers.get('content-length'));
    expect(await head?.text()).toBe('');
  });

  it.each(['/', '/healthz'])(
    'refuses other methods on %s and says which it takes',
    async (path) => {
      const response = await fetch(relay.url + path, { method: 'POST', body: '{}' });
      expect(response.status).toBe(405);
      expect(response.headers.get('allow')).toMatch(/^GET, HEAD/);
    },
  );

  it('has nothing at other paths', async () => {
    for (const path of ['/relay', '/index.html', '/favicon.ico', '//', '/healthz/']) {
      expect((await fetch(relay.url + path, { headers: NIP_11 })).status).toBe(404);
    }
  });

  it('ignores a wish for another protocol', async () => {
    const html = await page({ connection: 'Upgrade', upgrade: 'h2c', accept: 'text/html' });
    expect(html).toContain('<!DOCTYPE html>');
  });
});

describe('the WebSocket path', () => {
  let relay: TestServer;
  beforeAll(async () => {
    relay = await startServer();
  });
  afterAll(() => relay.close());

  /** The HTTP status that refuses a WebSocket. */
  async function refused(path: string): Promise<number | undefined> {
    const headers = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    };
    return new Promise((resolve, reject) => {
      const asked = request({ port: relay.port, host: '127.0.0.1', path, headers });
      asked.on('response', (response) => resolve(response.resume().statusCode));
      asked.on('upgrade', (_, socket) => {
        socket.destroy();
        resolve(101);
      });
      asked.on('error', reject);
      asked.end();
    });
  }

  it('is / alone', async () => {
    expect(await refused('/')).toBe(101);
    expect(await refused('/?query=1')).toBe(101);
    for (const path of ['/ws', '/relay', '//', '/healthz']) expect(await refused(path)).toBe(404);
  });

  it('offers no compression unless told to', async () => {
    const wire = await Wire.open(relay.webSocketUrl, {
      'sec-websocket-extensions': 'permessage-deflate',
    });
    expect(wire.socket.extensions).toBe('');
    wire.drop();
  });
});
