import { hexOf } from '../../../functions/nostr/negentropy/items.ts';
import { respond } from '../../../functions/nostr/negentropy/reconcile.ts';
import { type Connection, connect } from '../../../functions/upstream/connection.ts';
import { query } from '../../../functions/upstream/query.ts';
import { type ReconcileOptions, reconcile } from '../../../functions/upstream/reconcile.ts';
import { secretKeyOf, signEvent } from '../../support/keys.ts';
import { randomItems, sealed } from '../../support/reconciling.ts';
import { startServer, type TestServer } from '../../support/relay-server.ts';
import {
  type Script,
  type ScriptedRelay,
  startScriptedRelay,
} from '../../support/scripted-relay.ts';
import { unsigned } from '../../support/unsigned.ts';

const EVENTS = Array.from({ length: 3_000 }, (_, n) =>
  unsigned({ created_at: 1_700_000_000 + n, content: `${n}` }),
);
const itemsOf = (events: readonly { created_at: number; id: string }[]) =>
  sealed(events.map(({ created_at, id }) => ({ createdAt: created_at, id })));
const idsOf = (events: readonly { id: string }[]) => events.map(({ id }) => id).sort();

const open: { close(): Promise<void> }[] = [];
async function connected(address: string): Promise<Connection> {
  const connection = await connect(address);
  open.push(connection);
  return connection;
}
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function startRelay(variables: Record<string, string> = {}): Promise<TestServer> {
  const relay = await startServer(variables);
  open.push(relay);
  for (const event of EVENTS) relay.engine.put(event, JSON.stringify(event));
  return relay;
}

const BASE: ReconcileOptions = { filter: { kinds: [1] }, items: itemsOf([]) };

describe('reconciling with a relay of our own', () => {
  it('finds what each side lacks, and says what it cost', async () => {
    const relay = await startRelay();
    const connection = await connected(relay.webSocketUrl);
    const extra = { created_at: 1_700_000_000, id: 'cd'.repeat(32) };
    const items = itemsOf([...EVENTS.slice(30), extra]);
    const result = await reconcile(connection, { ...BASE, items });
    expect(result.have).toEqual([extra.id]);
    expect(result.need.sort()).toEqual(idsOf(EVENTS.slice(0, 30)));
    expect(result.complete).toBe(true);
    expect(result.rounds).toBeGreaterThan(1);
    expect(result.bytesReceived).toBeGreaterThan(30 * 64);
    expect(result.bytesSent + result.bytesReceived).toBeLessThan(3_000 * 64);
  });

  it('runs several at once, beside other work on the connection', async () => {
    const relay = await startRelay();
    const signed = signEvent({ kind: 7, created_at: 1 }, secretKeyOf('reconcile'));
    await relay.engine.publish(signed, JSON.stringify(signed));
    const connection = await connected(relay.webSocketUrl);
    const found: string[] = [];
    const reading = (async () => {
      for await (const { id } of query(connection, [{ kinds: [7] }])) found.push(id);
    })();
    const since = 1_700_002_000;
    const [all, some] = await Promise.all([
      reconcile(connection, BASE),
      reconcile(connection, { ...BASE, filter: { since } }),
      reading,
    ]);
    expect([all.need.length, some.need.length]).toEqual([3_000, 1_000]);
    expect(found).toEqual([signed.id]);
    expect(connection.faults).toBe(0);
  });

  it('ends at the bound of rounds or ids with what it knows', async () => {
    const relay = await startRelay({ RELAY_NEGENTROPY_FRAME_BYTES_MAX: '4096' });
    const connection = await connected(relay.webSocketUrl);
    const few = await reconcile(connection, { ...BASE, roundsMax: 3 });
    expect(few).toMatchObject({ complete: false, rounds: 3 });
    expect(few.need.length).toBeGreaterThan(300);
    // All that is older than what it had settled by then is known.
    const settled = EVENTS.filter(({ created_at }) => created_at < few.settledBefore);
    expect(settled.length).toBeGreaterThan(300);
    expect(few.need).toEqual(expect.arrayContaining(idsOf(settled)));
    const ids = await reconcile(connection, { ...BASE, idsMax: 500 });
    expect(ids.complete).toBe(false);
    const needs = await reconcile(connection, { ...BASE, needMax: 500 });
    expect(needs.need.length).toBe(ids.need.length);
    expect(ids.need.length).toBeLessThan(500 + 128);
    expect((await reconcile(connection, BASE)).need).toHaveLength(3_000);
  });

  it('is refused with the reason where too much matches', async () => {
    const relay = await startRelay({ RELAY_NEGENTROPY_ITEMS_MAX: '100' });
    const connection = await connected(relay.webSocketUrl);
    await expect(reconcile(connection, BASE)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringMatching(/^blocked: more than 100/),
    });
  });

  it('knows a relay that has it turned off', async () => {
    const relay = await startRelay({ RELAY_NEGENTROPY: 'off' });
    const connection = await connected(relay.webSocketUrl);
    await expect(reconcile(connection, BASE)).rejects.toMatchObject({ code: 'unsupported' });
    expect((await collect(connection)).length).toBe(0);
  });
});

const collect = async (connection: Connection) => {
  const found: string[] = [];
  for await (const { id } of query(connection, [{ limit: 0 }])) found.push(id);
  return found;
};

/** A relay that says this to NEG-OPEN, and is honest otherwise. */
async function startScripted(
  answer: (id: unknown, hex: string) => readonly unknown[][],
): Promise<ScriptedRelay> {
  const script: Script = {
    onMessage([verb, id, , hex], client) {
      if (verb === 'NEG-OPEN') for (const one of answer(id, hex as string)) client.send(one);
      if (verb === 'REQ') client.send(['EOSE', id]);
    },
  };
  const relay = await startScriptedRelay(script);
  open.push(relay);
  return relay;
}

describe('reconciling with a relay of somebody else', () => {
  const short = { ...BASE, firstAnswerTimeoutMs: 60, answerTimeoutMs: 60 };

  it.each<[string, string, (id: unknown) => readonly unknown[][]]>([
    ['says nothing', 'unsupported', () => []],
    [
      'says that it is bad',
      'unsupported',
      () => [['NOTICE', 'ERROR: bad msg: negentropy disabled']],
    ],
    ['says that it is unknown', 'unsupported', () => [['NOTICE', 'unknown command NEG-OPEN']]],
    ['greets, then says nothing', 'unsupported', () => [['NOTICE', 'welcome']]],
    ['says CLOSED', 'unsupported', (id) => [['CLOSED', id, 'error: what is NEG-OPEN?']]],
    ['says by NEG-ERR that it is off', 'unsupported', (id) => [['NEG-ERR', id, 'unsupported: no']]],
    ['has too many records', 'refused', (id) => [['NEG-ERR', id, 'blocked: too many records', 5]]],
    ['has too many sessions', 'refused', () => [['NOTICE', 'too many concurrent NEG requests']]],
    ['wants to know who asks', 'refused', (id) => [['CLOSED', id, 'auth-required: who is it?']]],
    ['answers no hex', 'misbehaved', (id) => [['NEG-MSG', id, 'hello']]],
    ['answers a half', 'misbehaved', (id) => [['NEG-MSG', id, '610000']]],
    ['answers another version', 'misbehaved', (id) => [['NEG-MSG', id, '62']]],
  ])('that %s fails as %s, and leaves the connection of use', async (_, code, answer) => {
    const relay = await startScripted(answer);
    const connection = await connected(relay.url);
    await expect(reconcile(connection, short)).rejects.toMatchObject({ code });
    expect(await collect(connection)).toEqual([]);
    expect(connection.failure).toBeUndefined();
    expect(relay.said('NEG-CLOSE')).toHaveLength(1);
  });

  it('lets a NOTICE pass that comes with the answer', async () => {
    const theirs = itemsOf(EVENTS.slice(0, 5));
    const relay = await startScripted((id, hex) => {
      const answer = respond(theirs, Buffer.from(hex, 'hex'), 60_000);
      return [
        ['NOTICE', 'welcome'],
        ['NEG-MSG', id, answer.ok ? hexOf(answer.value) : ''],
      ];
    });
    const connection = await connected(relay.url);
    expect((await reconcile(connection, short)).need.sort()).toEqual(idsOf(EVENTS.slice(0, 5)));
  });

  it('fails as timeout where the relay falls silent later', async () => {
    const theirs = sealed(randomItems(500, 1));
    const relay = await startScripted((id, hex) => {
      const answer = respond(theirs, Buffer.from(hex, 'hex'), 4_096);
      return [['NEG-MSG', id, answer.ok ? hexOf(answer.value) : '']];
    });
    const connection = await connected(relay.url);
    await expect(reconcile(connection, short)).rejects.toMatchObject({ code: 'timeout' });
    expect(await collect(connection)).toEqual([]);
  });

  it('fails as lost where the connection ends', async () => {
    const relay = await startScriptedRelay({
      onMessage: ([verb], client) => void (verb === 'NEG-OPEN' && client.cut()),
    });
    open.push(relay);
    const connection = await connected(relay.url);
    await expect(reconcile(connection, BASE)).rejects.toMatchObject({ code: 'lost' });
    await expect(reconcile(connection, BASE)).rejects.toMatchObject({ code: 'lost' });
  });

  it('ends with the reason of its signal', async () => {
    const relay = await startScripted(() => []);
    const connection = await connected(relay.url);
    const abort = new AbortController();
    const running = reconcile(connection, { ...BASE, signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    expect(await collect(connection)).toEqual([]);
  });

  it('counts answers to sessions that never were as faults', async () => {
    const relay = await startScripted((id) => [
      ['NEG-MSG', 'n99', '61'],
      ['NEG-MSG', id, '61'],
    ]);
    const connection = await connected(relay.url);
    expect(await reconcile(connection, short)).toMatchObject({ need: [], complete: true });
    expect(connection.faults).toBe(1);
  });
});
