import type { NostrEvent } from '../../../functions/nostr/event.ts';
import { secretKeyOf, signEvent } from '../../support/keys.ts';
import { startServer, type TestServer } from '../../support/relay-server.ts';
import { until } from '../../support/until.ts';
import type { Wire } from '../../support/wire.ts';

const KEY = secretKeyOf('connection requests');
const START = Math.floor(Date.now() / 1_000) - 1_000;
const STORED = Array.from({ length: 5 }, (_, i) =>
  signEvent({ kind: 1, created_at: START + i, content: `${i}` }, KEY),
);
const NEWEST_FIRST = [...STORED].reverse().map(({ id }) => id);
const live = (content: string): NostrEvent =>
  signEvent({ kind: 1, created_at: START + 500, content }, KEY);

describe('a connection that gets REQ', () => {
  let relay: TestServer;
  let wire: Wire;
  beforeAll(async () => {
    relay = await startServer();
    for (const event of STORED) await relay.engine.publish(event, JSON.stringify(event));
  });
  beforeEach(async () => {
    relay.engine.beforeAnswer = Promise.resolve();
    wire = await relay.connect();
  });
  afterEach(async () => {
    wire.drop();
    await until(() => relay.engine.open.size === 0, { what: 'no subscription left behind' });
  });
  afterAll(() => relay.close());

  const idsOf = (events: readonly unknown[]) => events.map((event) => (event as NostrEvent).id);

  it('sends what is stored, newest first, then EOSE', async () => {
    wire.send(['REQ', 'a', { kinds: [1], until: START + 10 }]);
    expect(idsOf(await wire.stored('a'))).toEqual(NEWEST_FIRST);
  });

  it('sends one EOSE for several filters, and each event once', async () => {
    wire.send(['REQ', 'a', { kinds: [1], until: START + 10 }, { ids: [STORED[0]?.id] }]);
    expect(idsOf(await wire.stored('a'))).toEqual(NEWEST_FIRST);
    await wire.works();
    expect(wire.messages.filter(([type]) => type === 'EOSE')).toEqual([]);
  });

  it('sends EOSE and nothing before it when a list is empty', async () => {
    wire.send(['REQ', 'a', { ids: [] }]);
    expect(await wire.stored('a')).toEqual([]);
  });

  it('goes on with live events after EOSE', async () => {
    wire.send(['REQ', 'a', { kinds: [1], limit: 0 }]);
    await wire.next('EOSE', 'a');
    const event = live('goes on');
    const other = await relay.connect();
    other.send(['EVENT', event]);
    const [, , got] = await wire.next('EVENT', 'a');
    expect(got).toEqual(event);
  });

  it('replaces a subscription of the same id, also while its query runs', async () => {
    let release = () => {};
    relay.engine.beforeAnswer = new Promise((resolve) => {
      release = resolve;
    });
    wire.send(['REQ', 'a', { kinds: [1] }]);
    await until(() => relay.engine.open.size === 1, { what: 'the first query' });
    const [first] = relay.engine.open;
    wire.send(['REQ', 'a', { ids: [STORED[0]?.id] }]);
    await until(() => first !== undefined && !relay.engine.open.has(first), {
      what: 'the end of the first query',
    });
    release();
    expect(idsOf(await wire.stored('a'))).toEqual([STORED[0]?.id]);
    await wire.works();
    expect(wire.messages.filter(([type]) => type === 'EOSE')).toEqual([]);
  });

  it('cancels a running query at CLOSE and sends nothing of it', async () => {
    let release = () => {};
    relay.engine.beforeAnswer = new Promise((resolve) => {
      release = resolve;
    });
    wire.send(['REQ', 'a', { kinds: [1] }]);
    await until(() => relay.engine.open.size === 1, { what: 'the query' });
    wire.send(['CLOSE', 'a']);
    await until(() => relay.engine.open.size === 0, { what: 'the end of the query' });
    release();
    relay.engine.beforeAnswer = Promise.resolve();
    await wire.works();
    expect(wire.messages).toEqual([]);
  });

  it('takes CLOSE of an unknown id for nothing', async () => {
    wire.send(['CLOSE', 'nobody']);
    await wire.works();
    expect(wire.messages).toEqual([]);
  });

  it('passes on why the engine ended a subscription, and the id is free again', async () => {
    wire.send(['REQ', 'a', { kinds: [1], limit: 0 }]);
    await wire.next('EOSE', 'a');
    const [open] = relay.engine.open;
    relay.engine.open.clear();
    open?.subscriber.closed('error: could not reach the database');
    expect(await wire.next('CLOSED', 'a')).toEqual([
      'CLOSED',
      'a',
      'error: could not reach the database',
    ]);
    wire.send(['REQ', 'a', { kinds: [1], limit: 1 }]);
    await wire.next('EOSE', 'a');
  });

  it('ends the subscription whose id a refused REQ names, as its client will believe', async () => {
    wire.send(['REQ', 'a', { kinds: [1], limit: 0 }]);
    await wire.next('EOSE', 'a');
    wire.send(['REQ', 'a', { authors: ['not hex'] }]);
    const [, , message] = await wire.next('CLOSED', 'a');
    expect(message).toMatch(/^invalid: authors /);
    await until(() => relay.engine.open.size === 0, { what: 'the end of the subscription' });
  });

  it.each<[string, object, string]>([
    ['uppercase hex', { ids: ['A'.repeat(64)] }, 'invalid: ids '],
    ['a short id', { ids: ['abc'] }, 'invalid: ids '],
    ['an unknown field', { search: 'words' }, 'unsupported: filter field "search"'],
    ['a negative limit', { limit: -1 }, 'invalid: limit '],
  ])('answers CLOSED to a filter with %s', async (_, filter, reason) => {
    wire.send(['REQ', 'bad', filter]);
    const [, , message] = await wire.next('CLOSED', 'bad');
    expect(message).toEqual(expect.stringContaining(reason));
  });

  it('writes a subscription id with quotes, umlauts and controls back as it came', async () => {
    const id = 'ü"\\\u0001😀';
    wire.send(['REQ', id, { ids: [STORED[0]?.id] }]);
    expect(idsOf(await wire.stored(id))).toEqual([STORED[0]?.id]);
  });

  it('tells the engine who asks, as log lines name a client', async () => {
    wire.send(['REQ', 'who', { kinds: [1], limit: 0 }]);
    await wire.next('EOSE', 'who');
    const [open] = [...relay.engine.open].slice(-1);
    expect(open?.subscriber.asker).toMatchObject({
      connectionId: expect.any(String),
      address: '127.0.0.1',
    });
  });

  it('keeps the ids of two connections apart', async () => {
    const other = await relay.connect();
    wire.send(['REQ', 'a', { kinds: [1], limit: 0 }]);
    other.send(['REQ', 'a', { kinds: [1], limit: 0 }]);
    await wire.next('EOSE', 'a');
    await other.next('EOSE', 'a');
    other.send(['CLOSE', 'a']);
    await until(() => relay.engine.open.size === 1, { what: 'one subscription left' });
    other.drop();
  });

  it.each<[string, readonly unknown[], RegExp]>([
    ['COUNT', ['COUNT', 'c', { kinds: [1] }], /^unsupported: COUNT/],
  ])('says that %s is not offered, by CLOSED', async (_, message, reason) => {
    wire.send(message);
    const [, , why] = await wire.next('CLOSED', 'c');
    expect(why).toMatch(reason);
  });

  it('says that AUTH is not offered, by OK false', async () => {
    wire.send(['AUTH', STORED[0]]);
    const [, , accepted, why] = await wire.next('OK', STORED[0]?.id);
    expect([accepted, why]).toEqual([false, expect.stringMatching(/^error: .*NIP-42/)]);
  });
});
