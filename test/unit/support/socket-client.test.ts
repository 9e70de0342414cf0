import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { secretKeyOf, signEvent } from '../../support/keys.ts';
import { SocketClient } from '../../support/socket-client.ts';

const event = signEvent({ kind: 1, created_at: 1_000, content: 'one' }, secretKeyOf(1));
const older = signEvent({ kind: 1, created_at: 900, content: 'two' }, secretKeyOf(1));
const other = signEvent({ kind: 7, created_at: 900 }, secretKeyOf(1));

/** A relay that answers every REQ with these frames. */
async function relayOf(frames: readonly unknown[]): Promise<{ url: string; end(): void }> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.on('connection', (socket) => {
    socket.on('message', () => {
      for (const frame of frames) {
        socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
      }
    });
  });
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const end = (): void => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  };
  return { url: `ws://127.0.0.1:${port}`, end };
}

const lies: readonly (readonly [string, readonly unknown[], RegExp])[] = [
  ['a frame that is no JSON', ['hello'], /not JSON/],
  ['an event of an unknown subscription', [['EVENT', 'x', event]], /unknown subscription/],
  [
    'an event twice',
    [
      ['EVENT', 's1', event],
      ['EVENT', 's1', event],
    ],
    /twice/,
  ],
  [
    'an older event first',
    [
      ['EVENT', 's1', older],
      ['EVENT', 's1', event],
    ],
    /wrong order/,
  ],
  ['a false id', [['EVENT', 's1', { ...event, content: 'x' }]], /does not hash/],
  ['an event that was not asked for', [['EVENT', 's1', other]], /no filter/],
  ['a field of its own', [['EVENT', 's1', { ...event, seen: 1 }]], /has the fields/],
  [
    'EOSE twice',
    [
      ['EOSE', 's1'],
      ['EOSE', 's1'],
    ],
    /EOSE for a subscription that is live/,
  ],
  ['CLOSED without a prefix', [['CLOSED', 's1', 'no']], /machine-readable/],
  ['OK for nothing', [['OK', event.id, true, '']], /was not sent/],
  ['an unknown verb', [['HELLO', 's1']], /unknown verb/],
];

describe('the strict client', () => {
  it.each(lies)('fails the test when a relay sends %s', async (_, frames, fault) => {
    const relay = await relayOf(frames);
    const client = await SocketClient.open(relay.url);
    try {
      await client.subscribe({ kinds: [1] }, 1_000).catch(() => undefined);
      await client.ended;
      await expect(client.close()).rejects.toThrow(fault);
    } finally {
      relay.end();
    }
  });

  it('takes a true answer, stored and live', async () => {
    const relay = await relayOf([
      ['EVENT', 's1', event],
      ['EOSE', 's1'],
      ['EVENT', 's1', older],
    ]);
    const client = await SocketClient.open(relay.url);
    try {
      const subscription = await client.subscribe({ kinds: [1] });
      expect(subscription.stored.map(({ id }) => id)).toEqual([event.id]);
      expect((await subscription.next()).id).toBe(older.id);
      await client.close();
    } finally {
      relay.end();
    }
  });
});
