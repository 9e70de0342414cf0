import NDK, { NDKEvent, NDKPrivateKeySigner, type NDKRelay } from '@nostr-dev-kit/ndk';
import * as nostrFetch from 'nostr-fetch';
import { SimplePool } from 'nostr-tools/pool';
import { finalizeEvent, verifyEvent } from 'nostr-tools/pure';
import type { NostrEvent } from '../../functions/nostr/event.ts';
import { secretKeyOf, signEvent } from '../support/keys.ts';
import { SocketClient } from '../support/socket-client.ts';
import { useSystem } from '../support/system.ts';
import { until } from '../support/until.ts';

/** More than any answer to one REQ, so that who wants all must page. */
const MANY = 1_200;
const PAGED_TIMEOUT_MS = 60_000;

/** What we use of nostr-fetch, whose own types cannot be read by ES modules. */
interface Fetcher {
  fetchAllEvents(
    urls: string[],
    filter: object,
    range: object,
    options: object,
  ): Promise<NostrEvent[]>;
  fetchLatestEvents(urls: string[], filter: object, limit: number): Promise<NostrEvent[]>;
  shutdown(): void;
}
const { NostrFetcher } = nostrFetch as unknown as { NostrFetcher: { init(): Fetcher } };

const now = (): number => Math.floor(Date.now() / 1000);

describe('clients that others wrote', () => {
  const system = useSystem({ relays: 2 });

  it("nostr-tools' SimplePool publishes, follows live on another instance, and queries", async () => {
    const [first = '', second = ''] = system().urls;
    const pool = new SimplePool();
    const secret = secretKeyOf('simple pool');
    const tags = [['t', 'simple-pool']];
    const live: string[] = [];
    let isLive = false;
    const subscription = pool.subscribeMany(
      [second],
      { kinds: [1], '#t': ['simple-pool'] },
      {
        onevent: ({ id }) => live.push(id),
        oneose: () => {
          isLive = true;
        },
      },
    );
    await until(() => isLive, { what: 'EOSE' });
    const published: string[] = [];
    const start = now();
    for (let count = 0; count < 5; count += 1) {
      const template = { kind: 1, created_at: start - count, tags, content: `${count}` };
      const event = finalizeEvent(template, secret);
      await Promise.all(pool.publish([first], event));
      published.push(event.id);
    }
    await until(() => live.length >= 5, { what: 'the live events' });
    expect(live.toSorted()).toEqual(published.toSorted());
    const found = await pool.querySync([first, second], { ids: published });
    expect(found.map(({ id }) => id).toSorted()).toEqual(published.toSorted());
    expect(found.every(verifyEvent)).toBe(true);
    const newest = await pool.get([second], { kinds: [1], '#t': ['simple-pool'] });
    expect(newest?.id).toBe(published[0]);
    subscription.close();
    pool.destroy();
  });

  it('SimplePool is told why an event is refused', async () => {
    const [first = ''] = system().urls;
    const pool = new SimplePool();
    const event = finalizeEvent(
      { kind: 1, created_at: now() + 86_400, tags: [], content: 'from tomorrow' },
      secretKeyOf('simple pool'),
    );
    const [answer] = pool.publish([first], event);
    await expect(answer).rejects.toThrow(/^invalid: /);
    pool.destroy();
  });

  it('NDK publishes, replaces, deletes, fetches and follows', async () => {
    const [first = '', second = ''] = system().urls;
    const secret = Buffer.from(secretKeyOf('ndk')).toString('hex');
    const writer = await openNdk(first, secret);
    const reader = await openNdk(second, secret);
    const live: string[] = [];
    const subscription = reader.subscribe(
      { kinds: [1], '#t': ['ndk'] },
      { closeOnEose: false, onEvent: ({ id }) => live.push(id) },
    );
    const note = new NDKEvent(writer, { kind: 1, content: 'by NDK', tags: [['t', 'ndk']] });
    expect((await note.publish()).size).toBe(1);
    await until(() => live.length > 0, { what: 'the live event' });
    expect(live).toEqual([note.id]);
    const versions: string[] = [];
    for (const age of [10, 0]) {
      const content = JSON.stringify({ name: `${age} seconds old` });
      const profile = new NDKEvent(writer, { kind: 0, content, created_at: now() - age });
      await profile.publish();
      versions.push(profile.id);
    }
    const fetchProfiles = async (): Promise<string[]> =>
      [...(await reader.fetchEvents({ kinds: [0], authors: [note.pubkey] }))].map(({ id }) => id);
    await until(async () => (await fetchProfiles()).join() === versions[1], {
      what: 'the newest profile alone',
    });
    await note.delete('a test');
    await until(async () => (await reader.fetchEvents({ ids: [note.id] })).size === 0, {
      what: 'the note to be gone',
    });
    subscription.stop();
    for (const ndk of [writer, reader]) closeNdk(ndk);
  });

  it(
    'nostr-fetch pages through more than one answer holds and misses nothing',
    async () => {
      const [first = '', second = ''] = system().urls;
      const secret = secretKeyOf('nostr-fetch');
      const client = await SocketClient.open(first);
      const start = now() - MANY;
      const events = Array.from({ length: MANY }, (_, index) =>
        // Three in each second: pages must not lose what shares a second with their edge.
        signEvent(
          {
            kind: 1,
            created_at: start + Math.floor(index / 3),
            tags: [['t', 'paged']],
            content: `${index}`,
          },
          secret,
        ),
      );
      await Promise.all(events.map((event) => client.store(event, PAGED_TIMEOUT_MS)));
      await client.close();
      const fetcher = NostrFetcher.init();
      const fetchAll = async (): Promise<string[]> => {
        const found = await fetcher.fetchAllEvents(
          [second],
          { kinds: [1], '#t': ['paged'] },
          { since: start },
          { sort: true },
        );
        return found.map(({ id }) => id);
      };
      const expected = events.map(({ id }) => id).toSorted();
      await until(async () => (await fetchAll()).toSorted().join() === expected.join(), {
        timeoutMs: PAGED_TIMEOUT_MS,
        what: 'all events by pages',
      });
      const latest = await fetcher.fetchLatestEvents([second], { kinds: [1], '#t': ['paged'] }, 10);
      expect(latest.map(({ created_at }) => created_at)).toEqual(
        events
          .slice(-10)
          .reverse()
          .map(({ created_at }) => created_at),
      );
      fetcher.shutdown();
    },
    PAGED_TIMEOUT_MS * 2,
  );
});

async function openNdk(url: string, secret: string): Promise<NDK> {
  const ndk = new NDK({
    explicitRelayUrls: [url],
    signer: new NDKPrivateKeySigner(secret),
    enableOutboxModel: false,
  });
  await ndk.connect(2_000);
  return ndk;
}

function closeNdk(ndk: NDK): void {
  for (const relay of ndk.pool.relays.values() as Iterable<NDKRelay>) relay.disconnect();
}
