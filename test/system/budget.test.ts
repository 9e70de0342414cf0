import type { PubSub } from '@google-cloud/pubsub';
import { openPostgres } from '../../functions/cloud/postgres.ts';
import { openPubSub, openRawPublisher } from '../../functions/cloud/pubsub.ts';
import { addSource, sourceById } from '../../functions/database/sources.ts';
import type { Information } from '../../functions/relay/information.ts';
import { secretKeyOf, signEvent } from '../support/keys.ts';
import { silentLog } from '../support/pubsub.ts';
import { SocketClient } from '../support/socket-client.ts';
import { useSystem } from '../support/system.ts';
import { until } from '../support/until.ts';

const MONTH = Date.UTC(new Date().getUTCFullYear(), new Date().getUTCMonth());
/** The next one, as far as it can be told today without being refused. */
const LATER = Date.now();

describe('a budget of which Cloud Billing tells', () => {
  const system = useSystem({
    relays: 2,
    // Each tenth reading of the log looks at the budget, too.
    env: { FETCH_ALLOW_LOOPBACK: 'on', CHANGES_POLL_MS: '200' },
  });
  let pubsub: PubSub;
  let billing: ReturnType<typeof openRawPublisher>;
  beforeAll(() => {
    pubsub = openPubSub({
      GOOGLE_CLOUD_PROJECT: system().variable('GOOGLE_CLOUD_PROJECT'),
      PUBSUB_EMULATOR_HOST: system().variable('PUBSUB_EMULATOR_HOST'),
    });
    billing = openRawPublisher(pubsub, 'budget');
  });
  afterAll(async () => {
    await billing.close();
    await pubsub.close();
  });

  /** As Cloud Billing publishes it. */
  const tell = (costAmount: number, since = MONTH) =>
    billing.publish(
      Buffer.from(
        JSON.stringify({
          budgetDisplayName: 'Distrise',
          costAmount,
          costIntervalStart: new Date(since).toISOString(),
          budgetAmount: 100,
          budgetAmountType: 'SPECIFIED_AMOUNT',
          currencyCode: 'EUR',
        }),
      ),
      { billingAccountId: '012345-567890-ABCDEF', budgetId: 'x', schemaVersion: '1.0' },
      10_000,
    );
  const information = async (url: string): Promise<Information> => {
    const headers = { accept: 'application/nostr+json' };
    return (await (await fetch(url.replace('ws:', 'http:'), { headers })).json()) as Information;
  };
  const stepsOfAll = async () =>
    Promise.all(system().urls.map(async (url) => (await information(url)).budget_steps ?? []));
  const untilAllHold = async (...steps: string[]) =>
    until(async () => (await stepsOfAll()).every((each) => each.join() === steps.join()), {
      timeoutMs: 15_000,
      what: `the steps ${steps.join()} on every relay`,
    });
  const plan = async () =>
    (await (await fetch(system().variable('FETCH_URL'), { method: 'POST' })).json()) as object;
  const note = (content: string, kind = 1) =>
    signEvent({ kind, created_at: Math.floor(Date.now() / 1_000), content }, secretKeyOf('budget'));
  /** What became of visits to a source that nobody answers at. */
  async function withSources<T>(work: (pool: Pool) => Promise<T>): Promise<T> {
    const { pool, close } = await openPostgres({
      DATABASE_URL: system().variable('DATABASE_URL'),
      DATABASE_IP_TYPE: 'PRIVATE',
      DATABASE_POOL_MAX: 1,
      DATABASE_STATEMENT_TIMEOUT_MS: 10_000,
      applicationName: 'test',
      log: silentLog,
    });
    try {
      return await work(pool);
    } finally {
      await close();
    }
  }
  type Pool = Awaited<ReturnType<typeof openPostgres>>['pool'];

  it('takes back step by step, on every instance, and keeps to it over a restart', async () => {
    const before = note('before');
    const [first = '', second = ''] = system().urls;
    const client = await SocketClient.open(first);
    await client.store(before);
    await client.close();

    await tell(85);
    await untilAllHold('fetch');
    expect(await plan()).toMatchObject({ handedOut: 0, paused: true });
    const visits = await withSources(async (pool) => {
      const { id } = await addSource(pool, { url: 'ws://127.0.0.1:1/', origin: 'configured' });
      await plan();
      return (await sourceById(pool, id))?.counts;
    });
    expect(visits).toMatchObject({ requests: 0, failures: 0 });
    expect((await information(first)).limitation).toMatchObject({ max_limit: 1_000 });

    // None of these says anything of now.
    await tell(1, MONTH - 86_400_000);
    await billing.publish(Buffer.from('spent: 1'), {}, 10_000);
    await tell(130);
    await untilAllHold('fetch', 'limits', 'read-only');

    const restarted = async () => {
      await system().stop();
      await system().start();
      // Without a wait: what a relay tells first must be true already.
      expect(await stepsOfAll()).toEqual([
        ['fetch', 'limits', 'read-only'],
        ['fetch', 'limits', 'read-only'],
      ]);
    };
    await restarted();
    for (const url of [first, second]) {
      expect((await information(url)).limitation).toMatchObject({
        max_limit: 250,
        default_limit: 125,
        max_subscriptions: 25,
        restricted_writes: true,
      });
      const visitor = await SocketClient.open(url);
      for (const kind of [1, 20_001]) {
        expect(await visitor.publish(note('too late', kind))).toMatchObject({
          accepted: false,
          message:
            'restricted: the relay takes nothing but deletions for now: its budget is used up',
        });
      }
      expect(await visitor.query({ ids: [before.id] })).toEqual([before]);
      await visitor.close();
    }
  }, 90_000);

  it('gives all back when the next month begins', async () => {
    // The restart has moved Pub/Sub to another port.
    await billing.close();
    await pubsub.close();
    pubsub = openPubSub({
      GOOGLE_CLOUD_PROJECT: system().variable('GOOGLE_CLOUD_PROJECT'),
      PUBSUB_EMULATOR_HOST: system().variable('PUBSUB_EMULATOR_HOST'),
    });
    billing = openRawPublisher(pubsub, 'budget');
    await tell(0, LATER);
    await untilAllHold();
    const client = await SocketClient.open(system().urls[1] ?? '');
    await client.store(note('after'));
    await client.close();
    expect((await information(system().urls[0] ?? '')).limitation).toMatchObject({
      max_limit: 1_000,
      restricted_writes: false,
    });
    await plan();
    await withSources((pool) =>
      until(async () => ((await sourceById(pool, 1))?.counts.failures ?? 0) > 0, {
        timeoutMs: 30_000,
        what: 'a visit to the source',
      }),
    );
  }, 60_000);
});
