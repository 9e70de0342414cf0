import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { NostrEvent } from '../../../functions/nostr/event.ts';
import { type Fetching, openFetching } from '../../support/fetching.ts';
import { publicKeyOf, secretKeyOf } from '../../support/keys.ts';
import type { ScriptedClient } from '../../support/scripted-relay.ts';
import { signedEvent } from '../../support/signed-events.ts';
import { type SmallRelay, startSmallRelay } from '../../support/small-relay.ts';
import { SocketClient } from '../../support/socket-client.ts';
import { useSystem } from '../../support/system.ts';
import { until } from '../../support/until.ts';

const FOLLOW = new URL('../../../functions/fetch/follow-main.ts', import.meta.url).pathname;
const now = Math.floor(Date.now() / 1_000);

describe('beside the scheduled visits', () => {
  const system = useSystem({
    env: {
      FETCH_ALLOW_LOOPBACK: 'on',
      FETCH_COVERAGE_HOURS: '0',
      FETCH_OUTBOX: 'on',
      FETCH_PROBES: 'on',
      FETCH_SECRET_KEY: Buffer.from(secretKeyOf('fetcher')).toString('hex'),
    },
  });
  let fetching: Fetching;
  const relays: SmallRelay[] = [];
  const relayWith = async (...events: NostrEvent[]): Promise<SmallRelay> => {
    const relay = await startSmallRelay(events, {
      instead: ([verb], client) => {
        if (verb === 'NEG-OPEN') client.send(['NOTICE', 'unknown message NEG-OPEN']);
        return String(verb).startsWith('NEG-');
      },
    });
    relays.push(relay);
    return relay;
  };

  beforeAll(() => {
    fetching = openFetching(system());
  });
  afterAll(async () => {
    await fetching.close();
    await Promise.all(relays.map((relay) => relay.close()));
  });

  const served = async (id: string): Promise<boolean> => {
    const client = await SocketClient.open(system().urls[0] ?? '');
    const found = await client.query({ ids: [id] });
    await client.close();
    return found.length === 1;
  };

  it('a worker brings what is published elsewhere at once, and stops when told', async () => {
    const relay = await relayWith();
    await fetching.add([relay.url]);
    const worker: ChildProcess = spawn(process.execPath, [FOLLOW], {
      env: {
        ...process.env,
        DATABASE_URL: system().variable('DATABASE_URL'),
        PUBSUB_EMULATOR_HOST: system().variable('PUBSUB_EMULATOR_HOST'),
        GOOGLE_CLOUD_PROJECT: system().variable('GOOGLE_CLOUD_PROJECT'),
        FETCH_ALLOW_LOOPBACK: 'on',
        METADATA_SERVER_DETECTION: 'none',
      },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    try {
      await until(() => relay.said('REQ').length > 0, { what: 'the worker to subscribe' });
      const event = signedEvent({ created_at: now, content: 'live' });
      relay.add(event);
      await until(() => served(event.id), { what: 'the event to be served here' });
      const ended = once(worker, 'exit');
      worker.kill('SIGTERM');
      expect(await ended).toEqual([0, null]);
    } finally {
      worker.kill('SIGKILL');
    }
  });

  it("sends our authors' events, and no others, to their relays where that is wanted", async () => {
    const mine = [1, 2, 3].map((n) =>
      signedEvent({ key: 55, created_at: now - n, content: `${n}` }),
    );
    const client = await SocketClient.open(system().urls[0] ?? '');
    for (const event of [...mine, signedEvent({ key: 77, created_at: now, content: 'other' })]) {
      await client.publish(event);
    }
    await client.close();
    await until(() => served(mine[0]!.id), { what: 'our events to be stored' });
    const relay = await relayWith();
    const authors = [publicKeyOf(secretKeyOf(55))];
    await fetching.add([relay.url], { authors });
    await fetching.pool.query("update sources set direction = 'up' where url = $1", [
      new URL(relay.url).href,
    ]);
    const sent = () => relay.said('EVENT').map(([, event]) => (event as NostrEvent).id);
    await until(
      async () => {
        await fetching.visit();
        return sent().length >= mine.length;
      },
      { what: 'our events to be sent' },
    );
    expect(new Set(sent())).toEqual(new Set(mine.map(({ id }) => id)));
  });

  it('a relay that asks who we are gets an answer where the operator allows it (NIP-42)', async () => {
    const event = signedEvent({ key: 9, created_at: now, content: 'for members' });
    const members = new Set<ScriptedClient>();
    const relay = await startSmallRelay([event], {
      instead: ([verb, id], client) => {
        if (verb === 'NEG-OPEN') client.send(['NEG-ERR', id, 'unsupported: no']);
        if (verb === 'AUTH') {
          const { pubkey, kind, tags } = id as unknown as NostrEvent;
          const right =
            kind === 22_242 &&
            pubkey === publicKeyOf(secretKeyOf('fetcher')) &&
            tags.some(([name, value]) => name === 'challenge' && value === 'riddle');
          if (right) members.add(client);
          client.send(['OK', (id as unknown as NostrEvent).id, right, '']);
        }
        if (verb !== 'REQ' || members.has(client)) return verb !== 'REQ';
        client.send(['AUTH', 'riddle']);
        client.send(['CLOSED', id, 'auth-required: members only']);
        return true;
      },
    });
    relays.push(relay);
    await fetching.add([relay.url]);
    await fetching.pool.query('update sources set auth = true where url = $1', [
      new URL(relay.url).href,
    ]);
    await until(
      async () => {
        await fetching.visit();
        return served(event.id);
      },
      { what: 'the event for members' },
    );
  });

  it('an author who names other relays is fetched from there (NIP-65)', async () => {
    const author = signedEvent({ key: 5 }).pubkey;
    const list = signedEvent({
      key: 5,
      kind: 10_002,
      created_at: now,
      tags: [
        ['r', 'wss://outbox.example'],
        ['r', 'wss://inbox.example', 'read'],
      ],
    });
    const relay = await relayWith(list);
    await fetching.add([relay.url], { authors: [author] });
    await until(
      async () => {
        await fetching.visit();
        const { rows } = await fetching.pool.query<{ url: string; filters: unknown }>(
          "select url, filters from sources where origin = 'outbox'",
        );
        return rows.length > 0 && rows;
      },
      { what: 'the relay that the author writes to' },
    ).then((rows) =>
      expect(rows).toEqual([{ url: 'wss://outbox.example/', filters: [{ authors: [author] }] }]),
    );
  });

  it('what came from a relay is not offered back to it, and what is stored late is sent', async () => {
    const theirs = signedEvent({ key: 61, created_at: now - 5, content: 'theirs' });
    const ours = signedEvent({ key: 61, created_at: now - 9, content: 'ours' });
    const late = signedEvent({ key: 61, created_at: now - 50_000, content: 'late' });
    const relay = await relayWith(theirs);
    const offered = () => relay.said('EVENT').map(([, event]) => (event as NostrEvent).id);
    const publish = async (event: NostrEvent) => {
      const client = await SocketClient.open(system().urls[0] ?? '');
      await client.publish(event);
      await client.close();
      await until(() => served(event.id), { what: 'an event of ours to be stored' });
    };
    await publish(ours);
    await fetching.add([relay.url], { authors: [ours.pubkey] });
    await fetching.pool.query("update sources set direction = 'both' where url = $1", [
      new URL(relay.url).href,
    ]);
    const visitUntil = async (id: string) => {
      await until(
        async () => {
          await fetching.visit();
          return offered().includes(id);
        },
        { what: 'an event of ours to be sent' },
      );
    };
    await visitUntil(ours.id);
    await until(() => served(theirs.id), { what: 'an event of theirs to be fetched' });
    await publish(late);
    await visitUntil(late.id);
    expect(offered()).toEqual([ours.id, late.id]);
  });

  it('one that sends few invalid events at a time is quarantined in the end', async () => {
    const forged = [1, 2, 3, 4, 5].map((n) => ({
      ...signedEvent({ key: 71, created_at: now - n, content: `${n}` }),
      content: 'forged',
    }));
    const relay = await startSmallRelay([], {
      instead: ([verb, id], client) => {
        if (verb === 'NEG-OPEN') client.send(['NEG-ERR', id, 'unsupported: no']);
        if (verb !== 'REQ') return verb !== 'CLOSE';
        for (const event of forged) client.send(['EVENT', id, event]);
        client.send(['EOSE', id]);
        return true;
      },
    });
    relays.push(relay);
    await fetching.add([relay.url]);
    const reason = await until(
      async () => {
        await fetching.visit();
        const { rows } = await fetching.pool.query<{ reason: string }>(
          "select reason from sources where url = $1 and state = 'quarantined'",
          [new URL(relay.url).href],
        );
        return rows[0]?.reason ?? false;
      },
      { what: 'the relay to be quarantined' },
    );
    expect(reason).toMatch(/^about 2\d of the last 2\d events were invalid/);
  });

  it('a candidate is probed once, and nothing is fetched from it', async () => {
    const event = signedEvent({ key: 81, created_at: now, content: 'not yet' });
    const relay = await relayWith(event);
    const url = new URL(relay.url).href;
    await fetching.pool.query(
      "insert into sources (url, origin, state) values ($1, 'probe', 'paused')",
      [url],
    );
    const found = await until(
      async () => {
        await fetching.visit();
        const { rows } = await fetching.pool.query<Record<string, unknown>>(
          'select state, nip77, probe, requests from sources where url = $1 and probed_at is not null',
          [url],
        );
        return rows[0] ?? false;
      },
      { what: 'the candidate to be probed' },
    );
    expect(found).toEqual({
      state: 'paused',
      nip77: false,
      requests: '0',
      probe: expect.objectContaining({ openMs: expect.any(Number), negentropy: false }),
    });
    const asked = relay.said('REQ').length;
    await fetching.visit();
    await fetching.visit();
    expect(relay.said('REQ')).toHaveLength(asked);
    expect(await served(event.id)).toBe(false);
  });
});
