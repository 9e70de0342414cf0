import type { NostrEvent } from '../../functions/nostr/event.ts';
import { secretKeyOf, signEvent } from '../support/keys.ts';
import { Life } from '../support/life.ts';
import { SocketClient } from '../support/socket-client.ts';
import { EventStream } from '../support/stream.ts';
import { useSystem } from '../support/system.ts';
import { until } from '../support/until.ts';

/** How many events are followed one by one; 1,000 when the whole is to be shown. */
const PUBLISHES = Number(process.env['PUBLISHES'] ?? 100);
const LIVE_TIMEOUT_MS = 10_000;

describe('two instances, while an import runs', () => {
  const system = useSystem({ relays: 2 });

  it(
    'deliver to the other one live what one takes, and find it themselves right after the OK',
    async () => {
      const [first = '', second = ''] = system().urls;
      const load = startLoad(first);
      const secret = secretKeyOf('two instances');
      const tags = [['t', 'followed']];
      const publisher = await SocketClient.open(first);
      const reader = await SocketClient.open(first);
      const follower = await SocketClient.open(second);
      const live = await follower.subscribe({ '#t': ['followed'], kinds: [1] });
      const notFound: string[] = [];
      const published = new Set<string>();
      const now = Math.floor(Date.now() / 1000);
      for (let count = 0; count < PUBLISHES; count += 1) {
        const created_at = now - (count % 60);
        const event = signEvent({ kind: 1, created_at, tags, content: `${count}` }, secret);
        await publisher.store(event);
        published.add(event.id);
        const found = await reader.query({ ids: [event.id] });
        if (found.length !== 1) notFound.push(event.id);
      }
      expect(notFound).toEqual([]);
      await until(() => live.received.size >= published.size, {
        timeoutMs: LIVE_TIMEOUT_MS,
        what: 'the last live event on the other instance',
      });
      expect(new Set(live.received.keys())).toEqual(published);
      const stored = await reader.query({ '#t': ['followed'], kinds: [1] });
      expect(stored.length).toBe(Math.min(PUBLISHES, 500));
      await load.stop();
      expect(load.accepted.size).toBeGreaterThan(0);
      for (const client of [publisher, reader, follower]) await client.close();
    },
    60_000 + PUBLISHES * 100,
  );

  it('deliver a deletion too: the event is gone on the other one', async () => {
    const [first = '', second = ''] = system().urls;
    const secret = secretKeyOf('deleter');
    const created_at = Math.floor(Date.now() / 1000);
    const event = signEvent({ kind: 1, created_at, content: 'soon gone' }, secret);
    const request = signEvent({ kind: 5, created_at, tags: [['e', event.id]] }, secret);
    const here = await SocketClient.open(first);
    const there = await SocketClient.open(second);
    await here.store(event);
    await until(async () => (await there.query({ ids: [event.id] })).length === 1, {
      what: 'the event on the other instance',
    });
    await here.store(request);
    await until(async () => (await there.query({ ids: [event.id] })).length === 0, {
      what: 'the deletion on the other instance',
    });
    expect(await there.query({ ids: [request.id] })).toEqual([request]);
    const again = await there.publish(event);
    expect(again.accepted).toBe(false);
    expect(again.message).toMatch(/^blocked: /);
    for (const client of [here, there]) await client.close();
  });

  it('deliver ephemeral events to each other and keep them nowhere', async () => {
    const [first = '', second = ''] = system().urls;
    const created_at = Math.floor(Date.now() / 1000);
    const event = signEvent({ kind: 20_001, created_at, content: 'now' }, secretKeyOf('brief'));
    const publisher = await SocketClient.open(second);
    const follower = await SocketClient.open(first);
    const filter = { kinds: [20_001], authors: [event.pubkey] };
    const live = await follower.subscribe(filter);
    await publisher.store(event);
    expect(await live.next(LIVE_TIMEOUT_MS)).toEqual(event);
    expect(await publisher.query(filter)).toEqual([]);
    for (const client of [publisher, follower]) await client.close();
  });
});

function startLoad(url: string): EventStream {
  const accepted = new Map<string, NostrEvent>();
  const life = new Life(1, accepted);
  return new EventStream({ url, source: () => life.next(), accepted, perSecond: 300 });
}
