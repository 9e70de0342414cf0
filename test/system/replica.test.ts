import pg from 'pg';
import { migrate } from '../../functions/database/migrate.ts';
import { monthAt } from '../../functions/database/months.ts';
import { dropMonth, makeMonth } from '../../functions/database/partitions.ts';
import { askReplica, isBusy, queryReplica } from '../../functions/database/replica.ts';
import { eventText, type NostrEvent } from '../../functions/nostr/event.ts';
import type { ReplicaDoors } from '../../functions/relay/replica-reads.ts';
import { type Cable, layCable } from '../support/cable.ts';
import { type Follow, type FollowOptions, LIMIT_MAX, openFollow } from '../support/follow.ts';
import {
  type Message,
  nextEvent,
  nextFilter,
  untilLogged,
  writeHistory,
} from '../support/history.ts';
import { countOf } from '../support/metrics.ts';
import {
  startPostgres,
  startReplica,
  type TestDatabase,
  type TestPostgres,
} from '../support/postgres.ts';
import { type Random, randomOf } from '../support/random.ts';
import { answer, type PlainFilter, remaining } from '../support/slow-oracle.ts';
import { authorOf, parsed, unsigned } from '../support/unsigned.ts';
import { until } from '../support/until.ts';

const START_MS = 60_000;
const origin = { trace: 'trace', source: 'client', keys: [] };

let primary: TestPostgres;
let standby: TestPostgres;
let cable: Cable;
let database: TestDatabase;
/** Connections to the replica: the test's own, which no cable breaks, and the relay's. */
let direct: pg.Pool;
let reading: pg.Pool;

const poolTo = (port: number): pg.Pool => {
  const connectionString = new URL(database.url);
  connectionString.port = String(port);
  const pool = new pg.Pool({ connectionString: connectionString.href, max: 4 });
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
};

beforeAll(async () => {
  primary = await startPostgres();
  standby = await startReplica(primary);
  cable = await layCable(standby.port);
}, START_MS);

afterAll(async () => {
  await cable.cut();
  await standby.stop();
  await primary.stop();
});

beforeEach(async () => {
  database = await primary.createDatabase();
  await migrate(database.url);
  direct = poolTo(standby.port);
  reading = poolTo(cable.port);
  await replayed();
});

afterEach(async () => {
  await resume();
  await Promise.all([direct.end(), reading.end()]);
  await database.drop();
});

const doors: ReplicaDoors = {
  query: (filter, options) => queryReplica(reading, filter, options),
  ask: () => askReplica(reading),
  isBusy: () => isBusy(reading),
};

const follow = async (options: Partial<FollowOptions> = {}): Promise<Follow> => {
  const opened = openFollow(database.pool, { eventsMax: 0, replica: doors, ...options });
  await opened.instance.follower.catchUp();
  // Autovacuum may have taken a transaction's number since, which the replica has not heard of.
  await replayed();
  return opened;
};

/** Waits until the replica has all that the primary committed. */
async function replayed(): Promise<void> {
  await database.pool.query('create table if not exists mark (n int); insert into mark values (1)');
  const { rows } = await database.pool.query('select pg_current_wal_insert_lsn() as lsn');
  await until(
    async () => {
      const asked = await direct.query('select pg_last_wal_replay_lsn() >= $1 as there', [
        rows[0].lsn,
      ]);
      return asked.rows[0].there;
    },
    { what: 'the replica to have replayed' },
  );
}

async function pause(): Promise<void> {
  await direct.query('select pg_wal_replay_pause()');
  const state = 'select pg_get_wal_replay_pause_state() as state';
  await until(async () => (await direct.query(state)).rows[0].state === 'paused', {
    what: 'the replica to stand still',
  });
}

const resume = () => direct.query('select pg_wal_replay_resume()');

/** Stores events, and tells the instance by the fast lane. */
async function store({ instance }: Follow, ...events: NostrEvent[]): Promise<void> {
  const messages = await writeHistory(database.pool, events);
  for (const { meta, text } of messages) instance.follower.heard(meta, text);
}

/** As a rule of the operator's does: only the log tells of it. */
async function take({ id }: NostrEvent): Promise<void> {
  await database.pool.query(
    `with gone as (delete from events where key = $1 returning created_at, kind)
      insert into changes (what, id, created_at, kind) select 'r', $2, created_at, kind from gone`,
    [id.slice(0, 32), id],
  );
}

async function idsOf({ instance }: Follow, filter: PlainFilter): Promise<string[]> {
  const { signal } = new AbortController();
  const { events } = await instance.answers.find([parsed(filter)], signal);
  return events.map(({ id }) => id);
}

const outcome = ({ metrics }: Follow, of: string) =>
  countOf(metrics, 'replica_queries_total', { outcome: of }) ?? 0;

const note = (content: string, more: Partial<Parameters<typeof unsigned>[0]> = {}) =>
  unsigned({ content, ...more });

describe('a replica that stands still', () => {
  it('is asked, and gives what it holds', async () => {
    const relay = await follow();
    const event = note('a');
    await store(relay, event);
    await replayed();
    expect(await idsOf(relay, { kinds: [1] })).toEqual([event.id]);
    expect(outcome(relay, 'answered')).toBe(1);
  });

  it('hides no event that was published here, nor one that the fast lane or the log told of', async () => {
    const relay = await follow();
    await pause();
    const [own, fast, logged] = [note('own'), note('fast'), note('log')];
    await relay.instance.intake.take(own, eventText(own), origin);
    expect(await idsOf(relay, { kinds: [1] })).toEqual([own.id]);
    await store(relay, own, fast);
    await writeHistory(database.pool, [logged]);
    await relay.instance.follower.catchUp();
    expect(relay.instance.pending.size).toBe(0);
    expect(await idsOf(relay, { kinds: [1] })).toEqual([own.id, fast.id, logged.id].sort());
    expect(await idsOf(relay, { ids: [fast.id] })).toEqual([fast.id]);
    expect(outcome(relay, 'answered')).toBe(3);
  });

  it('shows nothing that was deleted, superseded or taken by a rule', async () => {
    const relay = await follow();
    const deleted = note('deleted');
    const old = note('old', { author: 2, kind: 0 });
    const taken = note('taken', { author: 3 });
    await store(relay, deleted, old, taken);
    await replayed();
    await pause();
    const deletion = note('', { kind: 5, created_at: 1_700_000_009, tags: [['e', deleted.id]] });
    const current = note('new', { author: 2, kind: 0, created_at: 1_700_000_009 });
    await store(relay, deletion, current);
    await take(taken);
    await relay.instance.follower.catchUp();
    expect(await idsOf(relay, { kinds: [1] })).toEqual([]);
    expect(await idsOf(relay, { kinds: [0] })).toEqual([current.id]);
    expect(await idsOf(relay, { ids: [deleted.id, old.id, taken.id] })).toEqual([]);
    expect(outcome(relay, 'behind')).toBe(0);
  });

  it('shows nothing that retention took, but what came again since', async () => {
    const [first, second] = [note('first'), note('second')];
    const month = monthAt(first.created_at);
    await makeMonth(database.pool, month);
    await writeHistory(database.pool, [first, second]);
    await replayed();
    // It never heard of the two themselves.
    const relay = await follow();
    await pause();
    await dropMonth(database.pool, month);
    await relay.instance.follower.catchUp();
    await store(relay, second);
    expect(await idsOf(relay, { kinds: [1] })).toEqual([second.id]);
    expect(outcome(relay, 'answered')).toBe(1);
  });

  it('fills a limit past the rows that it should no longer show', async () => {
    const relay = await follow();
    const events = Array.from({ length: 30 }, (_, n) =>
      note(String(n), { created_at: 1_700_000_000 + n }),
    );
    await store(relay, ...events);
    await replayed();
    await pause();
    const gone = events.slice(10);
    const deletion = note('', { kind: 5, tags: gone.map(({ id }) => ['e', id]) });
    await store(relay, deletion);
    const left = events.slice(5, 10).reverse();
    expect(await idsOf(relay, { kinds: [1], limit: 5 })).toEqual(left.map(({ id }) => id));
    expect(outcome(relay, 'answered')).toBe(1);
  });

  it('is left out of what an own event hid that was refused for a reason not told yet', async () => {
    const relay = await follow();
    const [oldest, older, newest] = [1, 2, 3].map((n) =>
      note(String(n), { kind: 0, created_at: 1_700_000_000 + n }),
    ) as [NostrEvent, NostrEvent, NostrEvent];
    await store(relay, oldest);
    await replayed();
    await pause();
    await relay.instance.intake.take(older, eventText(older), origin);
    // Another instance's, of which this one has heard nothing.
    await writeHistory(database.pool, [newest]);
    await store(relay, older);
    expect(await idsOf(relay, { kinds: [0] })).toEqual([newest.id]);
    expect(outcome(relay, 'unsure')).toBe(1);
    // No client takes the replica away from all others by that.
    expect(await idsOf(relay, { kinds: [1] })).toEqual([]);
    expect(outcome(relay, 'answered')).toBe(1);
    await relay.instance.follower.catchUp();
    expect(await idsOf(relay, { kinds: [0] })).toEqual([newest.id]);
    expect(outcome(relay, 'answered')).toBe(2);
  });

  it('is left out after a break, until the log has been read', async () => {
    const relay = await follow();
    await pause();
    relay.instance.follower.broke();
    const event = note('missed by the fast lane');
    await writeHistory(database.pool, [event]);
    expect(await idsOf(relay, { kinds: [1] })).toEqual([event.id]);
    await relay.instance.follower.catchUp();
    expect(await idsOf(relay, { kinds: [1] })).toEqual([event.id]);
    expect([outcome(relay, 'unsure'), outcome(relay, 'answered')]).toEqual([1, 1]);
  });
});

describe('a replica further behind than is remembered', () => {
  it('is left out, said so once in the log, and asked again when it has caught up', async () => {
    const lines: string[] = [];
    let nowMs = 0;
    const relay = await follow({
      lagMs: 1_000,
      monotonicMs: () => nowMs,
      onLine: (line) => lines.push(line),
    });
    await pause();
    const event = note('a');
    await store(relay, event);
    nowMs += 1_500;
    expect(await idsOf(relay, { kinds: [1] })).toEqual([event.id]);
    expect(await idsOf(relay, { kinds: [1] })).toEqual([event.id]);
    expect([outcome(relay, 'behind'), outcome(relay, 'answered')]).toEqual([2, 0]);
    expect(lines.filter((line) => line.includes('too far behind'))).toHaveLength(1);
    expect(countOf(relay.metrics, 'replica_lag_bytes')).toBe(0);
    await resume();
    await replayed();
    await until(
      async () => {
        expect(await idsOf(relay, { kinds: [1] })).toEqual([event.id]);
        return outcome(relay, 'answered') > 0;
      },
      { what: 'the replica to be asked again' },
    );
  });

  it('is left out where memory for what it lacks is full', async () => {
    const relay = await follow({ lagBytesMax: 3_000 });
    await pause();
    const events = [1, 2, 3, 4, 5].map((n) => note(String(n)));
    await store(relay, ...events);
    expect((await idsOf(relay, { kinds: [1] })).sort()).toEqual(events.map(({ id }) => id).sort());
    expect(outcome(relay, 'behind')).toBe(1);
    expect(countOf(relay.metrics, 'replica_lag_bytes')).toBeLessThanOrEqual(3_000);
  });
});

describe('a replica that fails', () => {
  it('in the middle of an answer is replaced by the primary, and asked again when it is back', async () => {
    const relay = await follow();
    const event = note('a');
    await store(relay, event);
    await replayed();
    expect(await idsOf(relay, { kinds: [1] })).toEqual([event.id]);
    cable.silence();
    const before = cable.carried().there;
    const asked = idsOf(relay, { kinds: [1] });
    await until(() => cable.carried().there > before, { what: 'the question to be out' });
    await cable.cut();
    expect(await asked).toEqual([event.id]);
    expect(outcome(relay, 'failed')).toBe(1);
    // Nobody waits for it from here on.
    expect(await idsOf(relay, { kinds: [1] })).toEqual([event.id]);
    expect(outcome(relay, 'away')).toBe(1);
    await cable.mend();
    await until(
      async () => {
        await idsOf(relay, { kinds: [1] });
        return outcome(relay, 'answered') > 1;
      },
      { what: 'the replica to be asked again', timeoutMs: 20_000 },
    );
  });
});

describe('the replica and the primary', () => {
  it('give the same answers, with the replica standing still or not: those of a slow oracle', async () => {
    const random = randomOf(Number(process.env['REPLICA_SEED'] ?? 1));
    const relays = [
      await follow(),
      await follow({ eventsMax: 20 }),
      await follow({ lagBytesMax: 20_000 }),
    ];
    const events: NostrEvent[] = [];
    while (events.length < 300) {
      const batch = Array.from({ length: random.below(12) + 1 }, () => nextEvent(random, events));
      events.push(...batch);
      const own = relays.map(() => batch.filter(() => random.below(4) === 0));
      for (const [n, { instance }] of relays.entries()) {
        for (const event of own[n]!) await instance.intake.take(event, eventText(event), origin);
      }
      const messages = await writeHistory(database.pool, batch);
      await untilLogged(database.pool);
      const turn = random.below(6);
      if (turn === 0) await pause();
      if (turn === 1) await resume();
      const remains = remaining(events);
      for (const [n, relay] of relays.entries()) {
        await tell(relay, messages, random, () => checkOwn(relay, own[n]!, remains));
      }
      for (let n = 0; n < 10; n += 1) {
        const filter = nextFilter(random, events);
        const expected = answer(remains, [filter], LIMIT_MAX).map(({ id }) => id);
        for (const relay of relays) {
          expect({ filter, ids: await idsOf(relay, filter) }).toEqual({ filter, ids: expected });
        }
      }
    }
    for (const [n, relay] of relays.entries()) {
      // A window answers much, and the one without room is rarely sure.
      expect(outcome(relay, 'answered')).toBeGreaterThan(n === 0 ? 100 : 0);
      for (const why of ['away', 'busy', 'slow', 'failed']) expect(outcome(relay, why)).toBe(0);
    }
  }, 60_000);

  it('share the work: a query is one statement on one of the two', async () => {
    const [withReplica, without] = [await follow(), openFollow(database.pool, { eventsMax: 0 })];
    await without.instance.follower.catchUp();
    await replayed();
    const sent = { primary: 0, replica: 0 };
    const spies = [
      countStatements(database.pool, () => (sent.primary += 1)),
      countStatements(reading, () => (sent.replica += 1)),
    ];
    const ask = (relay: Follow) => idsOf(relay, { authors: [authorOf(1)] });
    await ask(without);
    expect(sent).toEqual({ primary: 1, replica: 0 });
    await ask(withReplica);
    // The first on a connection makes its settings and asks how far it is.
    expect(sent).toEqual({ primary: 1, replica: 3 });
    await ask(withReplica);
    expect(sent).toEqual({ primary: 1, replica: 4 });
    for (const restore of spies) restore();
  });
});

/** As the fast lane does, whole or, where the log is read afterwards, with losses and copies. */
async function tell(
  { instance: { follower } }: Follow,
  messages: readonly Message[],
  random: Random,
  meanwhile: () => Promise<void>,
): Promise<void> {
  const whole = random.below(3) > 0;
  for (const { meta, text } of whole ? messages : messages.flatMap((one) => [one, one])) {
    if (random.below(4) === 0) await meanwhile();
    if (whole || random.below(3) > 0) follower.heard(meta, text);
  }
  if (!whole) await follower.catchUp();
}

/** What an instance accepted and nothing took away is found there at every moment. */
async function checkOwn(
  relay: Follow,
  own: readonly NostrEvent[],
  remains: readonly NostrEvent[],
): Promise<void> {
  for (const { id } of own.filter((event) => remains.some((one) => one.id === event.id))) {
    expect(await idsOf(relay, { ids: [id] })).toEqual([id]);
  }
}

/** Counts what is sent on connections that are taken from now on. */
function countStatements(pool: pg.Pool, sent: () => void): () => void {
  const connect = pool.connect.bind(pool);
  pool.connect = (async () => {
    const client = await connect();
    const query = client.query;
    client.query = ((...given: unknown[]) => {
      sent();
      return Reflect.apply(query, client, given);
    }) as typeof client.query;
    const release = client.release;
    client.release = (error) => {
      client.query = query;
      client.release = release;
      release.call(client, error);
    };
    return client;
  }) as typeof pool.connect;
  return () => {
    pool.connect = connect as typeof pool.connect;
  };
}
