import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect as connectTcp } from 'node:net';
import { getPublicKey } from 'nostr-tools/pure';
import { provePromises } from '../../../functions/client/promises.ts';
import { connect } from '../../../functions/upstream/connection.ts';
import { startServer, type TestServer } from '../../support/relay-server.ts';
import { runClient } from '../../support/run-client.ts';
import { startSmallRelay } from '../../support/small-relay.ts';

const LIMITS = { RELAY_FILTERS_MAX: '3', RELAY_SUBSCRIPTIONS_MAX: '4', LIMIT_MAX: '20' };

let relay: TestServer;
let front: Server | undefined;
beforeEach(async () => {
  relay = await startServer({ ...LIMITS, LIMIT_DEFAULT: '10' });
});
afterEach(async () => {
  front?.closeAllConnections();
  front?.close();
  front = undefined;
  await relay.close();
});

type Document = Record<string, unknown> & { readonly limitation: Record<string, unknown> };

/** Stands before the relay and says something else of it than it does. */
async function saying(change: (document: Document) => object): Promise<URL> {
  const answer = await fetch(relay.url, { headers: { accept: 'application/nostr+json' } });
  const document = change((await answer.json()) as Document);
  front = createServer((_, response) => response.end(JSON.stringify(document)));
  front.on('upgrade', (request, socket) => {
    const behind = connectTcp(relay.port, '127.0.0.1');
    const { rawHeaders: raw } = request;
    const headers = raw.flatMap((name, index) =>
      index % 2 === 0 ? [`${name}: ${raw[index + 1]}`] : [],
    );
    behind.write(`GET / HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`);
    socket.pipe(behind).pipe(socket);
    for (const end of [socket, behind]) end.on('error', () => behind.destroy());
  });
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');
  return new URL(`ws://127.0.0.1:${(front.address() as AddressInfo).port}`);
}

async function broken(address: URL): Promise<string[]> {
  const names: string[] = [];
  const open = () => connect(address.href, { limits: { subscriptionsMax: 1_000 } });
  for await (const { ok, name } of provePromises(address, { open, timeoutMs: 5_000 })) {
    if (!ok) names.push(name);
  }
  return names;
}

it('a relay that says what it does has no broken promise', async () => {
  expect(await broken(new URL(relay.webSocketUrl))).toEqual([]);
});

it.each([
  [{ max_filters: 2 }, 'refuses more than max_filters'],
  [{ max_filters: 5 }, 'refuses more than max_filters'],
  [{ max_subscriptions: 3 }, 'takes max_subscriptions, and no more'],
  [{ max_subscriptions: 9 }, 'takes max_subscriptions, and no more'],
  [{ auth_required: true }, 'asks for a login only where it says so'],
])('a relay that says %j and does not do it is found out', async (limit, name) => {
  const address = await saying((document) => ({
    ...document,
    limitation: { ...document.limitation, ...limit },
  }));
  expect(await broken(address)).toEqual([name]);
});

it('a relay that does not say that it speaks NIP-77 is found out', async () => {
  const address = await saying((document) => ({ ...document, supported_nips: [1, 11] }));
  expect(await broken(address)).toEqual(['speaks NIP-77 where it says so']);
});

it('a relay that does not deliver live fails the check with exit code 1, and says where', async () => {
  const small = await startSmallRelay([], {
    instead: (message, client) => {
      const [verb, event] = message as [string, { id: string }];
      if (verb !== 'EVENT') return false;
      client.send(['OK', event.id, true, '']);
      return true;
    },
  });
  const { code, stdout } = await runClient(['check', small.url, '--timeout', '0.3']);
  await small.close();
  expect(code).toBe(1);
  expect(stdout).toMatch(/^ok {5}opens a connection: \d+ ms$/m);
  expect(stdout).toMatch(/^FAILED delivers live to another connection: /m);
  expect(stdout).toMatch(/^FAILED has a NIP-11 document: /m);
});

it('an address where nobody listens ends the check with exit code 3', async () => {
  const { code, stdout } = await runClient(['check', 'ws://127.0.0.1:9', '--timeout', '2']);
  expect(code).toBe(3);
  expect(stdout).toMatch(/^FAILED opens a connection/);
});

const linesOf = (stdout: string, sign: string) =>
  stdout.split('\n').filter((line) => line.startsWith(sign));

it('a relay that only listed keys may write to passes the check, which says what it left out', async () => {
  const listed = await startServer({ RELAY_KEYS_ALLOWED: 'a'.repeat(64) });
  const { code, stdout } = await runClient(['check', listed.webSocketUrl, '--timeout', '2']);
  await listed.close();
  expect(linesOf(stdout, 'FAILED')).toEqual([]);
  expect(code).toBe(0);
  const left = linesOf(stdout, '-     ');
  expect(
    left.filter((line) => /restricted: only public keys .* [0-9a-f]{64}\)$/.test(line)),
  ).toEqual([
    expect.stringContaining('delivers live'),
    expect.stringContaining('takes an event'),
    expect.stringContaining('finds it'),
    expect.stringContaining('deletes it'),
  ]);
});

it('a relay that asks for proof of work passes as well, and says that it has rules', async () => {
  const asking = await startServer({ RELAY_POW_BITS: '40' });
  const { code, stdout } = await runClient(['check', asking.webSocketUrl, '--timeout', '2']);
  await asking.close();
  expect(linesOf(stdout, 'FAILED')).toEqual([]);
  expect(stdout).toMatch(/^- {5} takes an event: .*pow: /m);
  expect(code).toBe(0);
});

it('a relay that refuses by a rule of which its document says nothing fails', async () => {
  const banned = '5'.padStart(64, '0');
  const silent = await startServer({ RELAY_KEYS_DENIED: getPublicKey(Buffer.from(banned, 'hex')) });
  const { code, stdout } = await runClient(['check', silent.webSocketUrl, '--timeout', '2'], {
    env: { DISTRISE_SECRET_KEY: banned },
  });
  await silent.close();
  expect(stdout).toMatch(/^FAILED delivers live .*blocked: this public key is banned/m);
  expect(code).toBe(1);
});
