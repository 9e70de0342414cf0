import type { LookupAddress } from 'node:dns';
import { connect } from '../../../functions/upstream/connection.ts';
import {
  createGuard,
  type GuardOptions,
  isOpenAddress,
} from '../../../functions/upstream/guard.ts';
import { type ScriptedRelay, startScriptedRelay } from '../../support/scripted-relay.ts';

const address = (text: string): LookupAddress => ({
  address: text,
  family: text.includes(':') ? 6 : 4,
});

/** A name server that gives one answer after the other, the last one for ever. */
function resolving(...answers: readonly (readonly string[])[]) {
  const asked: string[] = [];
  const resolve = async (name: string) => {
    asked.push(name);
    return (answers[asked.length - 1] ?? answers.at(-1) ?? []).map(address);
  };
  return { resolve, asked };
}

/** What a socket that asks for all addresses of a name is told. */
function lookUp(host: string, options: GuardOptions): Promise<unknown> {
  return new Promise((resolve) => {
    createGuard(options).lookup(host, { all: true }, (error, addresses) =>
      resolve(error?.message ?? addresses),
    );
  });
}

let relay: ScriptedRelay;
beforeAll(async () => {
  relay = await startScriptedRelay({});
});
afterAll(() => relay.close());

describe('the guard', () => {
  it.each([
    '0.0.0.0',
    '0.1.2.3',
    '10.1.2.3',
    '100.64.0.1',
    '100.127.255.255',
    '127.0.0.1',
    '127.255.255.254',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.8',
    '192.0.2.1',
    '192.168.1.1',
    '198.18.0.1',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::1',
    '100::1',
    '2001::1',
    '2001:db8::1',
    '2002:7f00:1::1',
    '3fff::1',
    'fc00::1',
    'fd20:ce::254',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'ff02::1',
    '2606:4700::1%eth0',
    'example.com',
    '',
  ])('takes %p for no open address', (text) => {
    expect(isOpenAddress(text)).toBe(false);
  });

  it.each(['1.1.1.1', '8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1', '2a00:1450::1'])(
    'takes %p for an open address',
    (text) => expect(isOpenAddress(text)).toBe(true),
  );

  it.each([
    'ws://localhost:7777',
    'ws://LOCALHOST.',
    'ws://a.localhost',
    'ws://metadata.google.internal',
    'ws://metadata.google.internal.',
    'ws://metadata',
    'ws://printer.local',
    'ws://db.corp',
    'ws://127.1',
    'ws://0x7f000001',
    'ws://2130706433',
    'ws://017700000001',
    'ws://127.0.0.1.',
    'ws://0/',
    'ws://[::1]',
    'ws://[::ffff:7f00:1]',
    'ws://[::ffff:169.254.169.254]',
    'ws://１２７.0.0.1',
    'ws://[fd00:ec2::254]',
  ])('refuses %p before anything is looked up', async (text) => {
    const { resolve, asked } = resolving(['1.1.1.1']);
    const guard = createGuard({ resolve });
    expect(guard.judge(new URL(text)).ok).toBe(false);
    await expect(connect(text, { guard })).rejects.toEqual(
      expect.objectContaining({ code: 'forbidden' }),
    );
    expect(asked).toEqual([]);
  });

  it('lets the names and addresses of the open internet be looked up', async () => {
    const guard = createGuard();
    for (const text of ['wss://relay.example.com', 'ws://8.8.8.8:80/x', 'wss://[2606:4700::1]']) {
      expect(guard.judge(new URL(text)).ok).toBe(true);
    }
    const { resolve } = resolving(['8.8.8.8', '2606:4700::1']);
    const told = await lookUp('relay.example.com', { resolve });
    expect(told).toEqual([address('8.8.8.8'), address('2606:4700::1')]);
  });

  it('condemns a name when one of its addresses is not open', async () => {
    const { resolve } = resolving(['8.8.8.8', '10.0.0.1']);
    await expect(lookUp('relay.example.com', { resolve })).resolves.toMatch(/leads to 10.0.0.1/);
    await expect(lookUp('relay.example.com', { resolve: async () => [] })).resolves.toMatch(
      /no address/,
    );
  });

  it('gives a socket that wants one address, or one family, just that', async () => {
    const { resolve } = resolving(['8.8.8.8', '2606:4700::1']);
    const { lookup } = createGuard({ resolve });
    const one = (family: number) =>
      new Promise((done) =>
        lookup('relay.example.com', { family }, (error, ...rest) => done(error?.message ?? rest)),
      );
    expect(await one(0)).toEqual(['8.8.8.8', 4]);
    expect(await one(6)).toEqual(['2606:4700::1', 6]);
    const v4 = createGuard({ resolve: resolving(['8.8.8.8']).resolve });
    const none = await new Promise((done) =>
      v4.lookup('relay.example.com', { family: 6 }, (error) => done(error?.message)),
    );
    expect(none).toBe('relay.example.com has no IPv6 address');
  });

  it('stops a connection to a name that leads to loopback', async () => {
    const { resolve } = resolving(['127.0.0.1']);
    const guard = createGuard({ resolve });
    const attempt = connect(`ws://relay.example.com:${relay.port}`, { guard });
    await expect(attempt).rejects.toMatchObject({
      code: 'forbidden',
      message: 'relay.example.com leads to 127.0.0.1, which is not an open address',
    });
    expect(relay.clients).toHaveLength(0);
  });

  it('connects to the very addresses that it judged, though the name changes after it', async () => {
    const { resolve, asked } = resolving(['127.0.0.1'], ['10.0.0.1']);
    const guard = createGuard({ resolve, allowLoopback: true });
    const connection = await connect(`ws://relay.example.com:${relay.port}`, { guard });
    expect(relay.clients).toHaveLength(1);
    expect(asked).toEqual(['relay.example.com']);
    await connection.close();
  });

  it('says of a name that cannot be resolved that it is unreachable', async () => {
    const guard = createGuard({ resolve: () => Promise.reject(new Error('ENOTFOUND')) });
    await expect(connect('ws://relay.example.com', { guard })).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining('ENOTFOUND'),
    });
  });

  it('with the test switch takes loopback and nothing else', async () => {
    const guard = createGuard({ allowLoopback: true });
    const connection = await connect(relay.url, { guard });
    await connection.close();
    expect(guard.judge(new URL('ws://localhost')).ok).toBe(true);
    expect(guard.judge(new URL('ws://[::1]')).ok).toBe(true);
    for (const text of ['ws://10.0.0.1', 'ws://[::ffff:10.0.0.1]', 'ws://x.localhost']) {
      expect(guard.judge(new URL(text)).ok).toBe(false);
    }
  });
});
