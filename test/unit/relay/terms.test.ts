import type { NostrEvent } from '../../../functions/nostr/event.ts';
import type { Information } from '../../../functions/relay/information.ts';
import { secretKeyOf, signEvent } from '../../support/keys.ts';
import { countOf } from '../../support/metrics.ts';
import { startServer, type TestServer } from '../../support/relay-server.ts';
import type { Wire } from '../../support/wire.ts';

const KEY = secretKeyOf('terms');
const now = () => Math.floor(Date.now() / 1_000);
const note = (content: string, kind = 1): NostrEvent =>
  signEvent({ kind, created_at: now(), content }, KEY);

describe('the steps of the budget', () => {
  let relay: TestServer;
  let wire: Wire;
  beforeAll(async () => {
    relay = await startServer({
      LIMIT_MAX: '16',
      LIMIT_DEFAULT: '8',
      RELAY_SUBSCRIPTIONS_MAX: '8',
      BUDGET_LIMITS_PERCENT: '25',
    });
    for (let i = 0; i < 20; i += 1) {
      const event = signEvent({ kind: 7, created_at: now() - i }, KEY);
      await relay.engine.publish(event, JSON.stringify(event));
    }
  });
  beforeEach(async () => {
    relay.terms.change([]);
    wire = await relay.connect();
  });
  afterEach(() => wire.drop());
  afterAll(() => relay.close());

  const information = async (): Promise<Information> => {
    const response = await fetch(relay.url, { headers: { accept: 'application/nostr+json' } });
    return (await response.json()) as Information;
  };
  const ask = async (filter: object): Promise<number> => {
    wire.send(['REQ', 'q', filter]);
    const { length } = await wire.stored('q');
    wire.messages.length = 0;
    wire.send(['CLOSE', 'q']);
    return length;
  };
  /** How many subscriptions a fresh connection gets. */
  const subscribable = async (): Promise<number> => {
    const other = await relay.connect();
    for (let n = 0; ; n += 1) {
      other.send(['REQ', `s${n}`, { limit: 0 }]);
      const [type] = await other.take('an answer', ([, id]) => id === `s${n}`);
      if (type === 'CLOSED') {
        other.drop();
        return n;
      }
    }
  };

  it.each([
    { steps: [] },
    { steps: ['fetch'] },
    { steps: ['limits'] },
    { steps: ['fetch', 'limits', 'read-only'] },
    { steps: ['read-only'] },
    { steps: [] },
  ] as const)('leave nothing advertised that does not hold: $steps', async ({ steps }) => {
    relay.terms.change(steps);
    const { limitation, budget_steps } = await information();
    const { max_limit, default_limit, max_subscriptions, restricted_writes } = limitation;
    expect(await ask({ kinds: [7], limit: 1_000 })).toBe(max_limit);
    expect(await ask({ kinds: [7] })).toBe(default_limit);
    expect(await subscribable()).toBe(max_subscriptions);
    const event = note(`${steps} ${Math.random()}`);
    wire.send(['EVENT', event]);
    expect((await wire.next('OK', event.id))[2]).toBe(!restricted_writes);
    expect(budget_steps ?? []).toEqual(steps);
  });

  it('shrink limits to the share that is configured, and give them back', async () => {
    relay.terms.change(['limits']);
    const small = { max_limit: 4, default_limit: 2, max_subscriptions: 2 };
    expect((await information()).limitation).toMatchObject(small);
    relay.terms.change([]);
    const whole = await information();
    expect(whole.limitation).toMatchObject({
      max_limit: 16,
      default_limit: 8,
      max_subscriptions: 8,
    });
    expect(whole).not.toHaveProperty('budget_steps');
  });

  it('let subscriptions that are open go on, live events with them', async () => {
    for (const id of ['a', 'b', 'c']) {
      wire.send(['REQ', id, { kinds: [1], limit: 0 }]);
      await wire.next('EOSE', id);
    }
    relay.terms.change(['limits']);
    const event = note('live');
    wire.send(['EVENT', event]);
    for (const id of ['a', 'b', 'c']) expect((await wire.next('EVENT', id))[2]).toEqual(event);
    wire.send(['REQ', 'd', { limit: 0 }]);
    expect((await wire.next('CLOSED', 'd'))[2]).toMatch(/^blocked: 2 subscriptions are open/);
  });

  it.each([
    ['a regular event', 1],
    ['an ephemeral one', 20_001],
  ])('have %s refused by name while nothing may be written, and read on', async (_, kind) => {
    wire.send(['REQ', 'live', { kinds: [kind], limit: 0 }]);
    await wire.next('EOSE', 'live');
    relay.terms.change(['read-only']);
    const event = note('too late', kind);
    wire.send(['EVENT', event]);
    expect(await wire.next('OK', event.id)).toEqual([
      'OK',
      event.id,
      false,
      'restricted: the relay takes nothing but deletions for now: its budget is used up',
    ]);
    expect(relay.engine.published.some(({ id }) => id === event.id)).toBe(false);
    expect(await ask({ kinds: [7] })).toBe(8);
    // What other instances or fetch bring still comes in.
    const other = note('from elsewhere', kind);
    await relay.engine.publish(other, JSON.stringify(other));
    expect((await wire.next('EVENT', 'live'))[2]).toEqual(other);
    relay.terms.change([]);
    wire.send(['EVENT', event]);
    expect((await wire.next('OK', event.id))[2]).toBe(true);
  });

  it.each([
    ['a deletion', 5],
    ['a request to vanish', 62],
  ])('have %s taken while nothing else may be written', async (_, kind) => {
    relay.terms.change(['read-only']);
    const tags = kind === 5 ? [['e', 'a'.repeat(64)]] : [['relay', 'ALL_RELAYS']];
    const event = signEvent({ kind, created_at: now(), content: '', tags }, KEY);
    wire.send(['EVENT', event]);
    expect((await wire.next('OK', event.id)).slice(2)).toEqual([true, '']);
    relay.terms.change([]);
  });

  it('stand in the log when they change, and in the metrics all the while', () => {
    const before = relay.logged.length;
    relay.terms.change(['read-only']);
    relay.terms.change(['read-only']);
    expect(countOf(relay.metrics, 'budget_step', { step: 'read-only' })).toBe(1);
    expect(countOf(relay.metrics, 'budget_step', { step: 'fetch' })).toBe(0);
    relay.terms.change([]);
    expect(countOf(relay.metrics, 'budget_step', { step: 'read-only' })).toBe(0);
    expect(relay.logged.slice(before).map(({ message }) => message)).toEqual([
      'other terms hold for clients',
      'other terms hold for clients',
    ]);
  });
});

it('lower rates hold for who has connected already, and a change refills no allowance', async () => {
  const relay = await startServer(
    {
      RELAY_RATE_LIMITS: 'on',
      RELAY_REQUESTS_PER_SECOND: '4',
      RELAY_REQUESTS_BURST: '8',
      BUDGET_LIMITS_PERCENT: '25',
    },
    {},
    () => 0,
  );
  try {
    const wire = await relay.connect();
    const granted = async (): Promise<number> => {
      for (let n = 0; ; n += 1) {
        wire.send(['REQ', 'r', { limit: 0 }]);
        const [type, , message] = await wire.take('an answer', ([, id]) => id === 'r');
        if (type === 'EOSE') continue;
        expect(message).toMatch(/^rate-limited: 1 requests from one address are allowed a second/);
        return n;
      }
    };
    relay.terms.change(['limits']);
    expect(await granted()).toBe(2);
    relay.terms.change([]);
    relay.terms.change(['limits']);
    expect(await granted()).toBe(0);
  } finally {
    await relay.close();
  }
});
