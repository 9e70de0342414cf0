import { openPubSub } from '../../functions/cloud/pubsub.ts';
import type { NostrEvent } from '../../functions/nostr/event.ts';
import { killAtRandom } from '../support/chaos.ts';
import { expectServed } from '../support/expect-served.ts';
import { Life } from '../support/life.ts';
import { type LiveSubscription, SocketClient } from '../support/socket-client.ts';
import { EventStream } from '../support/stream.ts';
import { type System, useSystem } from '../support/system.ts';
import { until } from '../support/until.ts';

const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const STORE_KILLS = Number(process.env['KILLS'] ?? 4);
const CATCH_UP_MS = 10_000;

interface Follower {
  readonly client: SocketClient;
  readonly live: LiveSubscription;
}

/** Notes and reactions are never superseded, so that each must come to a live subscriber. */
async function follow(url: string, life: Life): Promise<Follower> {
  const client = await SocketClient.open(url);
  return { client, live: await client.subscribe({ kinds: [1, 7], '#t': [life.topic], limit: 0 }) };
}

async function expectAllLive(
  { live }: Follower,
  accepted: ReadonlyMap<string, NostrEvent>,
): Promise<void> {
  const deleted = new Set(
    [...accepted.values()].flatMap(({ kind, tags }) =>
      kind === 5 ? tags.map(([, value]) => value) : [],
    ),
  );
  const expected = [...accepted.values()].filter(
    ({ kind, id }) => (kind === 1 || kind === 7) && !deleted.has(id),
  );
  await until(() => expected.every(({ id }) => live.received.has(id)), {
    timeoutMs: CATCH_UP_MS,
    what: 'each accepted event to have come live on the other instance',
  });
}

describe(`the fast lane between instances (SEED=${SEED})`, () => {
  const system = useSystem({ relays: 2 });

  it(
    'loses nothing when store is killed between commit and publish, or anywhere else',
    async () => {
      const [url = '', other = ''] = system().urls;
      const accepted = new Map<string, NostrEvent>();
      const life = new Life(SEED, accepted);
      const follower = await follow(other, life);
      const stream = new EventStream({ url, source: () => life.next(), accepted, perSecond: 300 });
      await killAtRandom(system(), {
        seed: SEED,
        kills: STORE_KILLS,
        targets: ['store'],
        pauseMsMax: 2_500,
      });
      await stream.stop();
      await expectAllLive(follower, accepted);
      await expectServed(other, accepted.values(), CATCH_UP_MS);
      await follower.client.close();
    },
    60_000 + STORE_KILLS * 10_000,
  );

  it('catches up within seconds when its subscriptions are deleted under load', async () => {
    const [url = '', other = ''] = system().urls;
    const accepted = new Map<string, NostrEvent>();
    const life = new Life(SEED + 1, accepted);
    const follower = await follow(other, life);
    const stream = new EventStream({ url, source: () => life.next(), accepted, perSecond: 300 });
    for (const share of [300, 900]) {
      await until(() => accepted.size > share, { what: `${share} accepted events` });
      expect(await deleteInstanceSubscriptions(system())).toBeGreaterThanOrEqual(2);
    }
    await until(() => accepted.size > 1_500, { what: '1,500 accepted events' });
    await stream.stop();
    await expectAllLive(follower, accepted);
    await expectServed(other, accepted.values(), CATCH_UP_MS);
    await follower.client.close();
  }, 60_000);
});

/** Deletes what the instances read `stored` by, as a careless operator does. */
async function deleteInstanceSubscriptions(system: System): Promise<number> {
  const pubsub = openPubSub({
    GOOGLE_CLOUD_PROJECT: system.variable('GOOGLE_CLOUD_PROJECT'),
    PUBSUB_EMULATOR_HOST: system.variable('PUBSUB_EMULATOR_HOST'),
  });
  try {
    const [subscriptions] = await pubsub.topic('stored').getSubscriptions();
    for (const subscription of subscriptions) await subscription.delete();
    return subscriptions.length;
  } finally {
    await pubsub.close();
  }
}
