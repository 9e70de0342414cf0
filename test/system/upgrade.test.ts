import type { NostrEvent } from '../../functions/nostr/event.ts';
import { expectServed } from '../support/expect-served.ts';
import { FrontDoor } from '../support/front-door.ts';
import { secretKeyOf, signEvent } from '../support/keys.ts';
import { usePostgres } from '../support/postgres.ts';
import {
  itFromPreviousVersion,
  PREVIOUS_NAME,
  previousVersion,
  type SourceTree,
  thisVersion,
} from '../support/previous-version.ts';
import { openTestPubSub, type TestPubSub } from '../support/pubsub.ts';
import { migrateWith, type Service, startRelay, startStore } from '../support/service.ts';
import { SteadyClient } from '../support/steady-client.ts';
import { freePorts } from '../support/system.ts';
import { until } from '../support/until.ts';

/** A few by default, 500 when the whole is to be shown. */
const CLIENTS = Number(process.env['CLIENTS'] ?? 20);
const EVENTS_PER_SECOND = 40;
/** How many events each stretch of the rehearsal lasts at least. */
const STRETCH = 80;
const TOPICS = ['incoming', 'stored', 'incoming-dead', 'fetch'];
const PATIENCE_MS = 60_000;

const server = usePostgres();
const running: Service[] = [];
let trees: SourceTree[] = [];
let pubsub: TestPubSub;
let door: FrontDoor;
let clients: SteadyClient[] = [];

beforeEach(async () => {
  pubsub = await openTestPubSub(TOPICS, ['incoming', 'incoming-dead']);
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.stop();
  for (const service of running.splice(0)) service.kill();
  door.close();
  await pubsub.remove();
  for (const tree of trees.splice(0)) tree.remove();
});

/** Clients that publish in turns, all together so many events a second. */
class Crowd {
  readonly accepted = new Map<string, NostrEvent>();
  readonly #topic = `upgrade ${CLIENTS}`;
  readonly #timer: NodeJS.Timeout;
  #count = 0;

  constructor(url: string) {
    clients = Array.from({ length: CLIENTS }, () => new SteadyClient(url, this.#topic));
    this.#timer = setInterval(() => this.#publish(), 1_000 / EVENTS_PER_SECOND);
  }

  #publish(): void {
    this.#count += 1;
    const event = signEvent(
      {
        kind: 1,
        created_at: Math.floor(Date.now() / 1_000),
        tags: [['t', this.#topic]],
        content: `${this.#count}`,
      },
      secretKeyOf(`upgrade ${this.#count % 50}`),
    );
    const client = clients[this.#count % CLIENTS];
    client?.publish(event, () => this.accepted.set(event.id, event));
  }

  /** Waits for so many more OKs. */
  async goesOn(): Promise<void> {
    const goal = this.accepted.size + STRETCH;
    const what = `${STRETCH} more OKs`;
    await until(() => this.accepted.size >= goal, { timeoutMs: PATIENCE_MS, what });
  }

  /** No more; waits until everything that was published is answered. */
  async ends(): Promise<void> {
    clearInterval(this.#timer);
    const answered = () => clients.every(({ unanswered }) => unanswered === 0);
    await until(answered, { timeoutMs: PATIENCE_MS, what: 'an OK for everything' });
  }
}

const allLive = () =>
  until(() => clients.every(({ live }) => live), {
    timeoutMs: PATIENCE_MS,
    what: 'every client to have its subscription',
  });

/** The services of one version: store first, then the relay, as the pipeline does it. */
class Deployment {
  readonly #variables: Record<string, string>;
  relay: Service | undefined;
  store: Service | undefined;

  constructor(databaseUrl: string) {
    this.#variables = {
      DATABASE_URL: databaseUrl,
      PUBSUB_EMULATOR_HOST: pubsub.host,
      GOOGLE_CLOUD_PROJECT: pubsub.project,
      RELAY_LISTEN_ADDRESS: '127.0.0.1',
      RELAY_RATE_LIMITS: 'off',
      METRICS: 'off',
      LIMIT_MAX: '5000',
      REQUEST_EVENTS_MAX: '5000',
    };
  }

  /** @returns once this version takes what is pushed; the one before, if any, ends. */
  async deployStore(tree: SourceTree): Promise<void> {
    const before = this.store;
    const PORT = String(await freePorts(1));
    this.store = await startStore(tree, { ...this.#variables, PORT });
    running.push(this.store);
    const pushConfig = { pushEndpoint: `http://127.0.0.1:${PORT}/` };
    const name = 'incoming-store';
    if (before === undefined) {
      const retryPolicy = {
        minimumBackoff: { nanos: 100_000_000 },
        maximumBackoff: { seconds: 2 },
      };
      const settings = { pushConfig, retryPolicy, ackDeadlineSeconds: 60 };
      await pubsub.client.createSubscription('incoming', name, settings);
      return;
    }
    await pubsub.client.subscription(name).modifyPushConfig(pushConfig);
    await before.stop();
  }

  /** @returns the relay that was there before; new connections go to the new one. */
  async deployRelay(tree: SourceTree): Promise<Service | undefined> {
    const before = this.relay;
    this.relay = await startRelay(tree, { ...this.#variables, PORT: '0' });
    running.push(this.relay);
    if (before === undefined) door = await FrontDoor.open(this.relay.port);
    else door.leadsTo = this.relay.port;
    return before;
  }
}

/** The whole upgrade, under load all the time; clients are on the old version when it begins. */
async function rehearse(from: SourceTree, to: SourceTree): Promise<void> {
  trees = [from, to];
  const { url } = await server.createDatabase();
  await migrateWith(from, url);
  const deployment = new Deployment(url);
  await deployment.deployStore(from);
  await deployment.deployRelay(from);
  const crowd = new Crowd(door.url);
  await allLive();
  await crowd.goesOn();

  await migrateWith(to, url);
  // The old version on the new schema: it stores, and finds what it stores.
  await crowd.goesOn();
  const onOld = [...crowd.accepted.values()];
  await expectServed(door.url, onOld, PATIENCE_MS);
  await deployment.deployStore(to);
  await crowd.goesOn();
  const old = await deployment.deployRelay(to);
  await crowd.goesOn();
  const ended = await old?.stop();
  await allLive();
  await crowd.goesOn();
  await crowd.ends();

  expect(ended?.code).toBe(0);
  expect(ended?.tookMs).toBeLessThan(10_000);
  expect(clients.map(({ connections }) => connections)).toEqual(clients.map(() => 2));
  expect(new Set(clients.flatMap(({ closed }) => closed))).toEqual(new Set([1001]));
  expect(clients.flatMap(({ refusals }) => refusals)).toEqual([]);
  await expectServed(door.url, crowd.accepted.values(), PATIENCE_MS);
  const missing = () =>
    clients.filter(({ received }) => [...crowd.accepted.keys()].some((id) => !received.has(id)));
  await until(() => missing().length === 0, { what: 'every client to have every event' });
  const gaps = clients.map(({ longestGapMs }) => longestGapMs).sort((a, b) => a - b);
  const [median, longest] = [gaps[gaps.length >> 1], gaps.at(-1)].map((ms) => Math.round(ms ?? 0));
  process.stderr.write(
    `upgrade: ${CLIENTS} clients, ${crowd.accepted.size} events accepted and served, the old relay ` +
      `ended in ${Math.round(ended?.tookMs ?? 0)} ms, gap in live delivery: median ${median} ms, ` +
      `longest ${longest} ms\n`,
  );
}

describe(`an upgrade under ${CLIENTS} clients`, () => {
  it(
    'loses nothing, and every client comes back',
    () => rehearse(thisVersion, thisVersion),
    180_000,
  );

  itFromPreviousVersion(
    `begins with the previous version, which runs on the new schema (${PREVIOUS_NAME})`,
    () => rehearse(previousVersion(), thisVersion),
    180_000,
  );
});
