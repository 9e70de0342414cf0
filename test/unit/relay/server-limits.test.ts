import { getPow } from 'nostr-tools/nip13';
import type { NostrEvent } from '../../../functions/nostr/event.ts';
import type { Information } from '../../../functions/relay/information.ts';
import { secretKeyOf, signEvent } from '../../support/keys.ts';
import { startServer, type TestServer } from '../../support/relay-server.ts';
import { until } from '../../support/until.ts';
import { Wire } from '../../support/wire.ts';

const KEY = secretKeyOf('server limits');
const now = () => Math.floor(Date.now() / 1_000);

/** Limits so small that a test can pass each of them. */
const SMALL = {
  EVENT_BYTES_MAX: '2000',
  RELAY_MESSAGE_BYTES_MAX: '2100',
  RELAY_CONTENT_MAX: '50',
  RELAY_CONTENT_LONG_MAX: '100',
  RELAY_TAGS_MAX: '5',
  RELAY_TAGS_LONG_MAX: '10',
  RELAY_CREATED_AT_PAST_SECONDS: '1000',
  RELAY_CREATED_AT_FUTURE_SECONDS: '100',
  RELAY_SUBSCRIPTIONS_MAX: '3',
  LIMIT_DEFAULT: '2',
  LIMIT_MAX: '4',
  RELAY_FILTERS_MAX: '2',
  RELAY_FILTER_IDS_MAX: '3',
  RELAY_FILTER_AUTHORS_MAX: '3',
  RELAY_FILTER_KINDS_MAX: '3',
  RELAY_FILTER_TAG_VALUES_MAX: '3',
  RELAY_FILTER_TAGS_MAX: '2',
  RELAY_REQUEST_VALUES_MAX: '5',
};

async function limitationOf({ url }: TestServer): Promise<Information['limitation']> {
  const response = await fetch(url, { headers: { accept: 'application/nostr+json' } });
  return ((await response.json()) as Information).limitation;
}

/** An event whose id has exactly so many leading zero bits. */
function withBits(bits: number): NostrEvent {
  for (let nonce = 0; ; nonce += 1) {
    const tags = [['nonce', `${nonce}`, `${bits}`]];
    const event = signEvent({ kind: 1, created_at: now(), tags }, KEY);
    if (getPow(event.id) === bits) return event;
  }
}

const hex = (count: number) =>
  Array.from({ length: count }, (_, i) => i.toString(16).padStart(64, '0'));

describe('the limits that NIP-11 advertises', () => {
  let relay: TestServer;
  let wire: Wire;
  let limitation: Information['limitation'];
  beforeAll(async () => {
    relay = await startServer(SMALL);
    limitation = await limitationOf(relay);
    for (let i = 0; i < 6; i += 1) {
      const event = signEvent({ kind: 7, created_at: now() - i }, KEY);
      await relay.engine.publish(event, JSON.stringify(event));
    }
  });
  beforeEach(async () => {
    wire = await relay.connect();
  });
  afterEach(() => wire.drop());
  afterAll(() => relay.close());

  async function accepted(event: NostrEvent): Promise<boolean> {
    wire.send(['EVENT', event]);
    const [, , verdict, message] = await wire.next('OK', event.id);
    if (!verdict) expect(message).toMatch(/^invalid: /);
    return verdict as boolean;
  }
  const sign = (template: Partial<Parameters<typeof signEvent>[0]>) =>
    signEvent({ kind: 1, created_at: now(), ...template }, KEY);
  async function answered(id: string, ...filters: object[]): Promise<'EOSE' | 'CLOSED'> {
    wire.send(['REQ', id, ...filters]);
    const [type] = await wire.take('EOSE or CLOSED', (one) => one[0] !== 'EVENT' && one[1] === id);
    return type as 'EOSE' | 'CLOSED';
  }

  /** For each advertised limit: passes when the limit itself is taken and one more is not. */
  const proofs: Record<keyof Information['limitation'], () => Promise<void>> = {
    async max_message_length() {
      const frame = (filler: string) => JSON.stringify(['REQ', 'm', { limit: 0, '#t': [filler] }]);
      const most = 'x'.repeat(limitation.max_message_length - frame('').length);
      wire.send(frame(most));
      await wire.next('EOSE', 'm');
      wire.send(frame(`${most}x`));
      expect((await wire.next('CLOSED', 'm'))[2]).toMatch(/2101 bytes, 2100 are allowed/);
    },
    async max_subscriptions() {
      for (let i = 0; i < limitation.max_subscriptions; i += 1) {
        expect(await answered(`${i}`, { limit: 0 })).toBe('EOSE');
      }
      expect(await answered('more', { limit: 0 })).toBe('CLOSED');
      expect(await answered('0', { limit: 0 })).toBe('EOSE');
      wire.send(['CLOSE', '0']);
      expect(await answered('more', { limit: 0 })).toBe('EOSE');
    },
    async max_limit() {
      wire.send(['REQ', 'many', { kinds: [7], limit: 5_000 }]);
      expect(await wire.stored('many')).toHaveLength(limitation.max_limit);
    },
    async default_limit() {
      wire.send(['REQ', 'default', { kinds: [7] }]);
      expect(await wire.stored('default')).toHaveLength(limitation.default_limit);
    },
    async max_subid_length() {
      expect(await answered('i'.repeat(limitation.max_subid_length), { limit: 0 })).toBe('EOSE');
      expect(await answered('i'.repeat(limitation.max_subid_length + 1), {})).toBe('CLOSED');
    },
    async max_event_tags() {
      const tags = (count: number) => Array.from({ length: count }, () => ['x', 'y']);
      expect(await accepted(sign({ tags: tags(limitation.max_event_tags) }))).toBe(true);
      expect(await accepted(sign({ tags: tags(limitation.max_event_tags + 1) }))).toBe(false);
    },
    async max_content_length() {
      // Characters, not bytes: each of these takes four.
      const content = '😀'.repeat(limitation.max_content_length);
      expect(await accepted(sign({ content }))).toBe(true);
      expect(await accepted(sign({ content: `${content}.` }))).toBe(false);
    },
    async created_at_lower_limit() {
      const oldest = now() - (limitation.created_at_lower_limit ?? 0);
      expect(await accepted(sign({ created_at: oldest + 5 }))).toBe(true);
      expect(await accepted(sign({ created_at: oldest - 5 }))).toBe(false);
    },
    async created_at_upper_limit() {
      const latest = now() + limitation.created_at_upper_limit;
      expect(await accepted(sign({ created_at: latest - 5 }))).toBe(true);
      expect(await accepted(sign({ created_at: latest + 5 }))).toBe(false);
    },
    async auth_required() {
      expect(limitation.auth_required).toBe(false);
      expect(await answered('free', { limit: 0 })).toBe('EOSE');
      expect(wire.messages.some(([type]) => type === 'AUTH')).toBe(false);
    },
    async min_pow_difficulty() {
      const working = await startServer({ ...SMALL, RELAY_POW_BITS: '6' });
      try {
        const { min_pow_difficulty: wanted = 0 } = await limitationOf(working);
        expect(wanted).toBe(6);
        const client = await working.connect();
        const said = async (event: NostrEvent) => {
          client.send(['EVENT', event]);
          return (await client.next('OK', event.id)).slice(2);
        };
        expect(await said(withBits(wanted - 1))).toEqual([
          false,
          'pow: the id has 5 leading zero bits, 6 are needed (NIP-13)',
        ]);
        expect(await said(withBits(wanted))).toEqual([true, '']);
      } finally {
        await working.close();
      }
    },
    async payment_required() {
      expect(limitation.payment_required).toBe(false);
    },
    async restricted_writes() {
      expect(limitation.restricted_writes).toBe(false);
      expect(await accepted(sign({ content: 'anybody' }))).toBe(true);
    },
  };

  it('are all proved below', () => {
    // Only where work is asked for has it a limit.
    const advertised = [...Object.keys(limitation), 'min_pow_difficulty'];
    expect(advertised.sort()).toEqual(Object.keys(proofs).sort());
  });

  it.each(Object.entries(proofs))('hold: %s', async (_, proof) => {
    await proof();
    expect(wire.closed).toBeUndefined();
  });

  it.each<[string, object, object]>([
    ['ids', { ids: hex(3) }, { ids: hex(4) }],
    ['authors', { authors: hex(3) }, { authors: hex(4) }],
    ['kinds', { kinds: [1, 2, 3] }, { kinds: [1, 2, 3, 4] }],
    ['values of a tag', { '#e': hex(3) }, { '#e': hex(4) }],
    ['tag conditions', { '#a': [''], '#b': [''] }, { '#a': [''], '#b': [''], '#c': [''] }],
  ])('hold beside them: %s of one filter', async (_, most, tooMany) => {
    expect(await answered('a', most)).toBe('EOSE');
    expect(await answered('a', tooMany)).toBe('CLOSED');
  });

  it('hold beside them: filters of one REQ', async () => {
    expect(await answered('a', {}, {})).toBe('EOSE');
    expect(await answered('a', {}, {}, {})).toBe('CLOSED');
  });

  it('hold beside them: values of all filters of one REQ', async () => {
    expect(await answered('a', { ids: hex(3) }, { authors: hex(2) })).toBe('EOSE');
    expect(await answered('a', { ids: hex(3) }, { authors: hex(2), '#t': ['x'] })).toBe('CLOSED');
  });

  it('hold beside them: bytes of one event', async () => {
    const tag = (length: number) => sign({ tags: [['x', 'y'.repeat(length)]] });
    const rest = JSON.stringify(tag(0)).length;
    expect(await accepted(tag(2_000 - rest))).toBe(true);
    expect(await accepted(tag(2_001 - rest))).toBe(false);
  });

  it('say that writing is restricted where it is', async () => {
    const closed = await startServer({ RELAY_KEYS_ALLOWED: 'a'.repeat(64) });
    const response = await fetch(closed.url, { headers: { accept: 'application/nostr+json' } });
    expect(((await response.json()) as Information).limitation.restricted_writes).toBe(true);
    const outsider = await closed.connect();
    const event = sign({ content: 'outside' });
    outsider.send(['EVENT', event]);
    expect((await outsider.next('OK', event.id))[3]).toMatch(/^restricted: /);
    await closed.close();
  });
});

describe('limits on haste and connections', () => {
  let relay: TestServer;
  afterEach(() => relay.close());

  /** The HTTP status of a refused WebSocket. */
  const refusal = (url: string, headers = {}) =>
    Wire.open(url, headers).then(
      () => 101,
      (error: Error) => Number(/\d{3}$/.exec(error.message)?.[0]),
    );

  it('refuses events that come too fast, also over a new connection', async () => {
    relay = await startServer({
      RELAY_RATE_LIMITS: 'on',
      RELAY_EVENTS_PER_SECOND: '1',
      RELAY_EVENTS_BURST: '2',
    });
    const verdicts: unknown[] = [];
    for (const content of ['1', '2', '3']) {
      const wire = await relay.connect();
      const event = signEvent({ kind: 1, created_at: now(), content }, KEY);
      wire.send(['EVENT', event]);
      const [, , accepted, message] = await wire.next('OK', event.id);
      verdicts.push(accepted || message);
      wire.drop();
    }
    expect(verdicts).toEqual([true, true, expect.stringMatching(/^rate-limited: /)]);
  });

  it('refuses requests and nonsense that come too fast, each in its own form', async () => {
    relay = await startServer({
      RELAY_RATE_LIMITS: 'on',
      RELAY_REQUESTS_PER_SECOND: '1',
      RELAY_REQUESTS_BURST: '1',
    });
    const wire = await relay.connect();
    wire.send(['REQ', 'a', { limit: 0 }], ['REQ', 'b', {}], 'nonsense', ['COUNT', 'c', {}]);
    await wire.next('EOSE', 'a');
    expect((await wire.next('CLOSED', 'b'))[2]).toMatch(/^rate-limited: /);
    expect((await wire.next('NOTICE'))[1]).toMatch(/^rate-limited: /);
    expect((await wire.next('CLOSED', 'c'))[2]).toMatch(/^rate-limited: /);
  });

  it('counts an event for its author only when the signature is true', async () => {
    relay = await startServer({ RELAY_RATE_LIMITS: 'on', RELAY_KEY_EVENTS_PER_MINUTE: '1' });
    const wire = await relay.connect();
    const [first, second] = ['1', '2'].map((content) =>
      signEvent({ kind: 1, created_at: now(), content }, KEY),
    );
    wire.send(['EVENT', { ...second, sig: '0'.repeat(128) }], ['EVENT', first]);
    expect((await wire.next('OK', first?.id))[2]).toBe(true);
    wire.messages.length = 0;
    wire.send(['EVENT', second]);
    expect((await wire.next('OK', second?.id))[3]).toMatch(/^rate-limited: /);
  });

  it('takes only so many connections from one address, and more when one has gone', async () => {
    relay = await startServer({
      RELAY_RATE_LIMITS: 'on',
      RELAY_CONNECTIONS_PER_ADDRESS: '2',
      RELAY_TRUSTED_PROXIES: '1',
    });
    const from = (address: string) => ({ 'x-forwarded-for': `1.1.1.1, ${address}` });
    const [one] = [await relay.connect(from('2.2.2.2')), await relay.connect(from('2.2.2.2'))];
    expect(await refusal(relay.webSocketUrl, from('2.2.2.2'))).toBe(429);
    await relay.connect(from('3.3.3.3'));
    one.drop();
    await until(() => relay.server.connections === 2, { what: 'one connection fewer' });
    await relay.connect(from('2.2.2.2'));
  });

  it('takes only so many connections in all', async () => {
    relay = await startServer({ RELAY_CONNECTIONS_MAX: '1' });
    await relay.connect();
    expect(await refusal(relay.webSocketUrl)).toBe(503);
    expect((await fetch(`${relay.url}/healthz`)).status).toBe(200);
  });
});
