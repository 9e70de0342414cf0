import { hexOf } from '../../../functions/nostr/negentropy/items.ts';
import { initiate, reconcile } from '../../../functions/nostr/negentropy/reconcile.ts';
import type { RelayConfiguration } from '../../../functions/relay/configuration.ts';
import { type Item, sealed } from '../../support/reconciling.ts';
import { startServer, type TestServer } from '../../support/relay-server.ts';
import { unsigned } from '../../support/unsigned.ts';
import { until } from '../../support/until.ts';
import type { Wire } from '../../support/wire.ts';

const START = 1_700_000_000;
const EVENTS = Array.from({ length: 2_500 }, (_, n) =>
  unsigned({ kind: n % 2, author: n % 200, created_at: START + (n % 700), content: `${n}` }),
);
const itemsOf = (events: readonly { created_at: number; id: string }[]): Item[] =>
  events.map(({ created_at, id }) => ({ createdAt: created_at, id }));
const idsOf = (items: readonly { id: string }[]) => items.map(({ id }) => id).sort();
const FIRST = hexOf(initiate(sealed([])));

const open: TestServer[] = [];
async function start(
  variables: Record<string, string> = {},
  overrides: Partial<RelayConfiguration> = {},
): Promise<TestServer> {
  const relay = await startServer(variables, overrides);
  open.push(relay);
  for (const event of EVENTS) relay.engine.put(event, '');
  return relay;
}
afterEach(async () => {
  for (const relay of open.splice(0)) await relay.close();
});

/** A client's part of a session, to its end. */
async function sync(wire: Wire, id: string, filter: object, ours: readonly Item[]) {
  const items = sealed(ours);
  const have = new Set<string>();
  const need = new Set<string>();
  let rounds = 0;
  wire.send(['NEG-OPEN', id, filter, hexOf(initiate(items))]);
  for (;;) {
    const [, , hex] = await wire.next('NEG-MSG', id);
    rounds += 1;
    const lesson = reconcile(items, Buffer.from(hex as string, 'hex'), 60_000);
    if (!lesson.ok) throw new Error(lesson.reason);
    for (const one of lesson.value.have) have.add(one);
    for (const one of lesson.value.need) need.add(one);
    if (lesson.value.reply === undefined) break;
    wire.send(['NEG-MSG', id, hexOf(lesson.value.reply)]);
  }
  wire.send(['NEG-CLOSE', id]);
  return { have: [...have].sort(), need: [...need].sort(), rounds };
}

describe('a connection that gets NEG-OPEN', () => {
  it('lets a client learn what it lacks and what it alone has', async () => {
    const relay = await start();
    const wire = await relay.connect();
    const mine = itemsOf(EVENTS.slice(100));
    const extra = { createdAt: START + 5, id: 'ab'.repeat(32) };
    const { have, need } = await sync(wire, 'n', {}, [...mine, extra]);
    expect(have).toEqual([extra.id]);
    expect(need).toEqual(idsOf(EVENTS.slice(0, 100)));
  });

  it('keeps to the filter, its limit included', async () => {
    const relay = await start();
    const wire = await relay.connect();
    const odd = EVENTS.filter(({ kind }) => kind === 1);
    const since = START + 600;
    expect((await sync(wire, 'a', { kinds: [1], since }, [])).need).toEqual(
      idsOf(odd.filter(({ created_at }) => created_at >= since)),
    );
    const newest = [...EVENTS].sort(
      (a, b) => b.created_at - a.created_at || (a.id < b.id ? -1 : 1),
    );
    expect((await sync(wire, 'b', { limit: 40 }, [])).need).toEqual(idsOf(newest.slice(0, 40)));
    expect((await sync(wire, 'c', { kinds: [] }, [])).need).toEqual([]);
  });

  it('takes a filter that stands alone in an array, as @nostr-dev-kit/sync sends it', async () => {
    const relay = await start();
    const wire = await relay.connect();
    const odd = EVENTS.filter(({ kind }) => kind === 1);
    expect((await sync(wire, 'a', [{ kinds: [1] }], [])).need).toEqual(idsOf(odd));
    wire.send(['NEG-OPEN', 'b', [{ kinds: [1] }, { kinds: [7] }], FIRST]);
    expect(await wire.next('NEG-ERR', 'b')).toContain('invalid: filter must be a JSON object');
  });

  it('answers in frames of the size that is configured', async () => {
    const relay = await start({ RELAY_NEGENTROPY_FRAME_BYTES_MAX: '4096' });
    const wire = await relay.connect();
    const { need, rounds } = await sync(wire, 'n', {}, []);
    expect(need).toEqual(idsOf(EVENTS));
    expect(rounds).toBeGreaterThan((EVENTS.length * 32) / 4_096);
  });

  it('runs sessions side by side, beside subscriptions of the same id', async () => {
    const relay = await start();
    const wire = await relay.connect();
    wire.send(['REQ', 'a', { kinds: [1], limit: 0 }]);
    await wire.next('EOSE', 'a');
    const [all, odd] = await Promise.all([
      sync(wire, 'a', {}, []),
      sync(wire, 'b', { kinds: [1] }, []),
    ]);
    expect([all.need.length, odd.need.length]).toEqual([2_500, 1_250]);
    expect(relay.engine.open.size).toBe(1);
  });

  it('replaces a session of the same id, and ends its query', async () => {
    const relay = await start();
    const wire = await relay.connect();
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    relay.engine.beforePage = () => held;
    wire.send(['NEG-OPEN', 'n', {}, FIRST]);
    await until(() => relay.engine.lists === 1, { what: 'the first list' });
    relay.engine.beforePage = () => Promise.resolve();
    wire.send(['NEG-OPEN', 'n', { kinds: [1], limit: 1 }, FIRST]);
    await wire.next('NEG-MSG', 'n');
    release();
    await until(() => relay.engine.lists === 0, { what: 'no list left' });
    await wire.works();
    expect(wire.messages).toEqual([]);
  });

  it('lets go of everything on NEG-CLOSE and at the end of the connection', async () => {
    const relay = await start();
    const wire = await relay.connect();
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    relay.engine.beforePage = () => held;
    wire.send(['NEG-OPEN', 'n', {}, FIRST]);
    await until(() => relay.engine.lists === 1, { what: 'the list of n' });
    wire.send(['NEG-CLOSE', 'n'], ['NEG-OPEN', 'm', {}, FIRST]);
    await until(() => relay.engine.lists === 2, { what: 'the list of m' });
    wire.drop();
    await until(() => relay.server.connections === 0, { what: 'the end of the connection' });
    release();
    await until(() => relay.engine.lists === 0, { what: 'no list left' });
  });
});

describe('a negentropy session that cannot be', () => {
  const error = async (wire: Wire, id = 'n') => (await wire.next('NEG-ERR', id)).slice(2);

  it.each<[string, readonly unknown[], RegExp]>([
    ['a filter that is none', ['NEG-OPEN', 'n', { authors: ['x'] }, FIRST], /^invalid: authors/],
    ['a condition not known here', ['NEG-OPEN', 'n', { search: 'x' }, FIRST], /^unsupported:/],
    ['no message', ['NEG-OPEN', 'n', {}], /^invalid: .*hex/],
    ['a message that is not hex', ['NEG-OPEN', 'n', {}, '61zz'], /^invalid: .*hex/],
    ['half a byte', ['NEG-OPEN', 'n', {}, '610'], /^invalid: .*hex/],
    ['a message that ends early', ['NEG-OPEN', 'n', {}, FIRST.slice(0, -2)], /^invalid: .*early/],
    ['another protocol', ['NEG-OPEN', 'n', {}, '00'], /^invalid: .*version/],
    ['a session that never was', ['NEG-MSG', 'n', '61'], /^closed: /],
  ])('is refused by NEG-ERR: %s', async (_, message, reason) => {
    const relay = await start();
    const wire = await relay.connect();
    wire.send(message);
    expect(await error(wire)).toEqual([expect.stringMatching(reason)]);
    await wire.works();
    expect(wire.messages).toEqual([]);
  });

  it('is told how many events may match', async () => {
    const relay = await start({ RELAY_NEGENTROPY_ITEMS_MAX: '2499' });
    const wire = await relay.connect();
    wire.send(['NEG-OPEN', 'n', {}, FIRST]);
    expect(await error(wire)).toEqual([expect.stringMatching(/^blocked: .*2499/), 2_499]);
    expect((await sync(wire, 'n', { kinds: [1] }, [])).need).toHaveLength(1_250);
  });

  it('waits until the room that all share is free again', async () => {
    const relay = await start({
      RELAY_NEGENTROPY_ITEMS_MAX: '3000',
      RELAY_NEGENTROPY_TOTAL_ITEMS_MAX: '3000',
    });
    const [wire, other] = [await relay.connect(), await relay.connect()];
    wire.send(['NEG-OPEN', 'n', {}, FIRST]);
    await wire.next('NEG-MSG', 'n');
    other.send(['NEG-OPEN', 'n', {}, FIRST]);
    expect(await error(other)).toEqual([expect.stringMatching(/^error: .*try later/)]);
    wire.drop();
    await until(() => relay.server.connections === 1, { what: 'the end of the first' });
    expect((await sync(other, 'n', {}, [])).need).toHaveLength(2_500);
  });

  it('is one more than the connection may have', async () => {
    const relay = await start({ RELAY_NEGENTROPY_SESSIONS_MAX: '2' });
    const wire = await relay.connect();
    wire.send(...['a', 'b', 'c'].map((id) => ['NEG-OPEN', id, { limit: 1 }, FIRST]));
    expect(await error(wire, 'c')).toEqual([expect.stringMatching(/^blocked: 2 negentropy/)]);
    wire.send(['NEG-CLOSE', 'a'], ['NEG-OPEN', 'c', { limit: 1 }, FIRST]);
    await wire.next('NEG-MSG', 'c');
  });

  it('talks before it is answered', async () => {
    const relay = await start();
    const wire = await relay.connect();
    wire.send(['NEG-OPEN', 'n', {}, FIRST], ['NEG-MSG', 'n', FIRST]);
    expect(await error(wire)).toEqual([expect.stringMatching(/^invalid: .*before the answer/)]);
    wire.send(['NEG-MSG', 'n', FIRST]);
    expect(await error(wire)).toEqual([expect.stringMatching(/^closed: /)]);
  });

  it('sends garbage in the middle, and disturbs nothing else', async () => {
    const relay = await start();
    const wire = await relay.connect();
    wire.send(['NEG-OPEN', 'n', {}, FIRST], ['NEG-OPEN', 'm', {}, FIRST]);
    await wire.next('NEG-MSG', 'n');
    await wire.next('NEG-MSG', 'm');
    wire.send(['NEG-MSG', 'n', '6100'], ['NEG-MSG', 'm', '61']);
    expect(await error(wire)).toEqual([expect.stringMatching(/^invalid: .*early/)]);
    expect(await wire.next('NEG-MSG', 'm')).toEqual(['NEG-MSG', 'm', '61']);
  });

  it('is silent for too long', async () => {
    const relay = await start({}, { RELAY_NEGENTROPY_IDLE_SECONDS: 0.05 });
    const wire = await relay.connect();
    wire.send(['NEG-OPEN', 'n', {}, FIRST]);
    await wire.next('NEG-MSG', 'n');
    expect(await error(wire)).toEqual([expect.stringMatching(/^closed: no message for/)]);
    wire.send(['NEG-MSG', 'n', '61']);
    expect(await error(wire)).toEqual([expect.stringMatching(/^closed: no session/)]);
  });

  it('takes too long to gather', async () => {
    const relay = await start({}, { RELAY_NEGENTROPY_GATHER_SECONDS: 0.05 });
    const wire = await relay.connect();
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    relay.engine.beforePage = () => held;
    wire.send(['NEG-OPEN', 'n', {}, FIRST]);
    expect(await error(wire)).toEqual([expect.stringMatching(/^error: gathering/)]);
    release();
    await until(() => relay.engine.lists === 0, { what: 'no list left' });
  });

  it('meets a database that is away', async () => {
    const relay = await start();
    const wire = await relay.connect();
    relay.engine.beforePage = () => Promise.reject(new Error('no database'));
    wire.send(['NEG-OPEN', 'n', {}, FIRST]);
    expect(await error(wire)).toEqual([expect.stringMatching(/^error: .*database/)]);
    expect(relay.logged.map(({ message }) => message)).toContain('negentropy could not list');
  });

  it('comes too fast', async () => {
    const relay = await start({
      RELAY_RATE_LIMITS: 'on',
      RELAY_REQUESTS_PER_SECOND: '1',
      RELAY_REQUESTS_BURST: '2',
    });
    const wire = await relay.connect();
    wire.send(...['a', 'b', 'c'].map((id) => ['NEG-OPEN', id, { limit: 1 }, FIRST]));
    expect(await error(wire, 'c')).toEqual([expect.stringMatching(/^rate-limited: /)]);
  });

  it('has a message that is too large', async () => {
    const relay = await start();
    const wire = await relay.connect();
    wire.send(['NEG-OPEN', 'n', {}, '61'.repeat(140_000)]);
    expect(await error(wire)).toEqual([expect.stringMatching(/^invalid: .*bytes/)]);
  });

  it('asks a relay that has negentropy turned off', async () => {
    const relay = await start({ RELAY_NEGENTROPY: 'off' });
    const wire = await relay.connect();
    wire.send(['NEG-OPEN', 'n', {}, FIRST], ['NEG-CLOSE', 'n']);
    expect(await error(wire)).toEqual([expect.stringMatching(/^unsupported: .*NIP-77/)]);
    await wire.works();
    expect(wire.messages).toEqual([]);
  });

  it('ends with the connection that is finished politely', async () => {
    const relay = await start();
    const wire = await relay.connect();
    wire.send(['NEG-OPEN', 'n', {}, FIRST]);
    await wire.next('NEG-MSG', 'n');
    const stopped = relay.server.stop();
    expect(await error(wire)).toEqual([expect.stringMatching(/^closed: .*restarts/)]);
    await stopped;
  });
});
