import { eventText, type NostrEvent } from '../../../functions/nostr/event.ts';
import { secretKeyOf, signEvent } from '../../support/keys.ts';
import { startServer, type TestServer } from '../../support/relay-server.ts';
import { until } from '../../support/until.ts';
import type { Wire } from '../../support/wire.ts';

const KEY = secretKeyOf('connection events');
const now = () => Math.floor(Date.now() / 1_000);
let count = 0;

/** A note that differs from all others. */
function note(content = ''): NostrEvent {
  count += 1;
  return signEvent({ kind: 1, created_at: now(), tags: [['n', `${count}`]], content }, KEY);
}

describe('a connection that gets EVENT', () => {
  let relay: TestServer;
  let wire: Wire;
  beforeAll(async () => {
    relay = await startServer({ RELAY_KEYS_DENIED: 'f'.repeat(64), RELAY_KINDS_DENIED: '4' });
  });
  beforeEach(async () => {
    wire = await relay.connect();
  });
  afterEach(() => wire.drop());
  afterAll(() => relay.close());

  /** Sends the event and gives back what the OK says. */
  async function publish(event: object): Promise<readonly [unknown, unknown]> {
    wire.send(['EVENT', event]);
    const [, , accepted, message] = await wire.next('OK', (event as NostrEvent).id);
    return [accepted, message];
  }

  it('answers OK true when the engine has taken it', async () => {
    expect(await publish(note())).toEqual([true, '']);
  });

  it('hands on the seven fields of NIP-01 and nothing that stood beside them', async () => {
    const event = note('beside');
    wire.send(['REQ', 'beside', { ids: [event.id] }]);
    await wire.next('EOSE', 'beside');
    wire.send(['EVENT', { relay: 'extra', ...event, seen: true }]);
    const [, , got] = await wire.next('EVENT', 'beside');
    expect(JSON.stringify(got)).toBe(eventText(event));
  });

  it('answers a duplicate with OK true and says so', async () => {
    const event = note();
    await publish(event);
    expect(await publish(event)).toEqual([true, 'duplicate: already have this event']);
  });

  it.each<[string, (event: NostrEvent) => object]>([
    ['a wrong id', (event) => ({ ...event, id: '0'.repeat(64) })],
    ['a wrong signature', (event) => ({ ...event, sig: '0'.repeat(128) })],
    ['changed content', (event) => ({ ...event, content: 'changed' })],
  ])('refuses an event with %s and the engine never sees it', async (_, change) => {
    const before = relay.engine.published.length;
    expect(await publish(change(note()))).toEqual([false, 'invalid: id or signature is wrong']);
    expect(relay.engine.published.length).toBe(before);
  });

  it.each<[string, object, string]>([
    ['content is a number', { content: 7 }, 'invalid: content must be a string'],
    ['tags are missing', { tags: undefined }, 'invalid: tags must be an array'],
    ['kind is too large', { kind: 65_536 }, 'invalid: kind must be an integer from 0 to 65535'],
    ['created_at is a fraction', { created_at: 1.5 }, 'invalid: created_at must be a whole number'],
    ['the pubkey is in capitals', { pubkey: 'A'.repeat(64) }, 'invalid: pubkey must be 64 lower'],
  ])('names what is wrong when %s, under the id that was sent', async (_, change, reason) => {
    const [accepted, message] = await publish({ ...note(), ...change });
    expect(accepted).toBe(false);
    expect(message).toEqual(expect.stringContaining(reason));
  });

  it('answers an event without a readable id by NOTICE', async () => {
    wire.send(['EVENT', { id: 5 }], ['EVENT', 'text'], ['EVENT']);
    for (let i = 0; i < 3; i += 1) {
      const [, message] = await wire.next('NOTICE');
      expect(message).toMatch(/^invalid: /);
    }
    expect(await wire.works()).toBe(true);
  });

  it('refuses what policy forbids before it looks at the signature', async () => {
    const unsigned = { ...note(), sig: '0'.repeat(128) };
    expect(await publish({ ...unsigned, pubkey: 'f'.repeat(64) })).toEqual([
      false,
      'blocked: this public key is banned from writing here',
    ]);
    expect(await publish({ ...unsigned, kind: 4 })).toEqual([
      false,
      'blocked: kind 4 is not accepted here',
    ]);
  });

  it('answers every one of many events sent at once', async () => {
    const events = Array.from({ length: 300 }, () => note());
    wire.send(...events.map((event) => ['EVENT', event] as const));
    await until(() => wire.messages.length === events.length, { what: 'all OKs' });
    const answered = new Set(wire.messages.map(([, id]) => id));
    expect(answered).toEqual(new Set(events.map(({ id }) => id)));
  });
});

describe('a connection with unanswered events', () => {
  let relay: TestServer;
  let release = () => {};
  beforeEach(async () => {
    relay = await startServer({ RELAY_EVENTS_IN_FLIGHT_MAX: '4' });
    relay.engine.beforePublish = new Promise((resolve) => {
      release = resolve;
    });
  });
  afterEach(() => relay.close());

  it('reads no further until the engine has answered, then answers all', async () => {
    const wire = await relay.connect();
    // Larger than what sockets buffer on the way, so that reading on would show.
    const events = Array.from({ length: 60 }, () => note('x'.repeat(60_000)));
    wire.send(...events.map((event) => ['EVENT', event] as const));
    await until(() => relay.engine.published.length >= 4, { what: 'the first events' });
    const other = await relay.connect();
    await other.works();
    // One piece of what the socket had read may hold a few messages more.
    expect(relay.engine.published.length).toBeLessThan(12);
    release();
    await until(() => wire.messages.length === 60, { what: 'all OKs' });
    expect(wire.messages.every(([type, , accepted]) => type === 'OK' && accepted)).toBe(true);
  });
});
