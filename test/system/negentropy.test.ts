import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Relay } from 'nostr-tools/relay';
import { listIds } from '../../functions/database/ids.ts';
import { migrate } from '../../functions/database/migrate.ts';
import { ItemsBuilder } from '../../functions/nostr/negentropy/builder.ts';
import { hexOf, type Items } from '../../functions/nostr/negentropy/items.ts';
import { initiate } from '../../functions/nostr/negentropy/reconcile.ts';
import { connect } from '../../functions/upstream/connection.ts';
import { reconcile } from '../../functions/upstream/reconcile.ts';
import { secretKeyOf, signEvent } from '../support/keys.ts';
import { copyEvents, manyEvents } from '../support/many-events.ts';
import { loadNip77 } from '../support/nip77.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { randomItems } from '../support/reconciling.ts';
import { startServer, type TestServer } from '../support/relay-server.ts';
import { useSystem } from '../support/system.ts';

const COUNT = 100_000;

/** Between two pages others have their turn, so none may be large. */
const PAGE_ROWS_MAX = 4_000;

let database: TestDatabase;
let relay: TestServer;
const ids: { createdAt: number; id: string }[] = [];
/** Rows of each page that the relay has listed. */
const pages: number[] = [];

beforeAll(async () => {
  database = await createDatabase();
  await migrate(database.url);
  const month = 30 * 24 * 3_600;
  const events = { count: COUNT, authors: 2_000, from: 1_700_000_000, seconds: month, seed: 7 };
  await copyEvents(database.pool, manyEvents(events));
  relay = await startServer();
  relay.engine.list = async function* (filter, options) {
    for await (const page of listIds(database.pool, filter, options)) {
      pages.push(page.length);
      yield page;
    }
  };
  for await (const page of listIds(database.pool, {}, { idsMax: COUNT })) ids.push(...page);
}, 120_000);
afterAll(async () => {
  await relay.close();
  await database.drop();
});

function sealedFrom(from: number): Items {
  const builder = new ItemsBuilder();
  for (const { createdAt, id } of ids.slice(from)) builder.add(createdAt, id);
  return builder.seal();
}

describe('a set of 100,000 events in the database', () => {
  it('is gathered by small pages, between which others have their turn', async () => {
    const wire = await relay.connect();
    await wire.works();
    const delay = monitorEventLoopDelay({ resolution: 1 });
    const begun = performance.now();
    delay.enable();
    pages.length = 0;
    wire.send(['NEG-OPEN', 'n', {}, hexOf(initiate(sealedFrom(ids.length)))]);
    await wire.next('NEG-MSG', 'n');
    delay.disable();
    const tookMs = performance.now() - begun;
    process.stdout.write(
      `gathered ${ids.length} in ${tookMs.toFixed()} ms, loop held ${(delay.max / 1e6).toFixed(1)} ms\n`,
    );
    expect(pages.reduce((sum, rows) => sum + rows, 0)).toBe(ids.length);
    expect(Math.max(...pages)).toBeLessThanOrEqual(PAGE_ROWS_MAX);
  });

  it('of which 1,000 are new costs less than 5 % of the bytes of all events', async () => {
    const connection = await connect(relay.webSocketUrl, { verifier: 'none' });
    const { rows } = await database.pool.query<{ bytes: string }>(
      `select (select sum(octet_length(text)) from events)
        + (select sum(octet_length(text)) from kept) as bytes`,
    );
    const spread = new ItemsBuilder();
    const missing = ids.filter((_, n) => n % 100 === 0).map(({ id }) => id);
    ids.forEach(({ createdAt, id }, n) => {
      if (n % 100 !== 0) spread.add(createdAt, id);
    });
    // Whether they are the newest, as from one day to the next, or anywhere.
    for (const [where, items, count] of [
      ['newest', sealedFrom(1_000), 1_000],
      ['anywhere', spread.seal(), missing.length],
    ] as const) {
      const begun = performance.now();
      const result = await reconcile(connection, { filter: {}, items });
      const bytes = result.bytesSent + result.bytesReceived;
      const share = bytes / Number(rows[0]?.bytes);
      process.stdout.write(
        `${count} new, ${where}: ${result.rounds} rounds, ${bytes} bytes, ` +
          `${(share * 100).toFixed(2)} %, ${(performance.now() - begun).toFixed()} ms\n`,
      );
      expect([result.have.length, result.need.length]).toEqual([0, count]);
      expect(share).toBeLessThan(0.05);
    }
    await connection.close();
  });
});

describe("nostr-tools' negentropy over a socket", () => {
  it('finds what both sides lack, 10 % each of 50,000 events', async () => {
    const { NegentropyStorageVector, NegentropySync } = await loadNip77();
    const theirs = ids.slice(0, 50_000);
    const since = theirs.at(-1)!.createdAt;
    // The last second may go on behind the 50,000th.
    const stored = ids.filter(({ createdAt }) => createdAt >= since);
    const strange = randomItems(5_000, 3).map(({ id }, n) => ({ createdAt: since + n, id }));
    const storage = new NegentropyStorageVector();
    const missing = stored.filter((_, n) => n % 10 === 0).map(({ id }) => id);
    for (const { createdAt, id } of [...stored.filter((_, n) => n % 10 !== 0), ...strange]) {
      storage.insert(createdAt, id);
    }
    storage.seal();
    const client = await Relay.connect(relay.webSocketUrl);
    const have = new Set<string>();
    const need = new Set<string>();
    await new Promise<void>((resolve, reject) => {
      const sync = new NegentropySync(client as never, storage, { since } as never, {
        onhave: (id: string) => have.add(id),
        onneed: (id: string) => need.add(id),
        onclose: (why?: string) => (why === undefined ? resolve() : reject(new Error(why))),
      });
      sync.start().catch(reject);
    });
    client.close();
    expect([...need].sort()).toEqual(missing.sort());
    expect([...have].sort()).toEqual(strange.map(({ id }) => id).sort());
  });
});

describe('a running system', () => {
  const system = useSystem();

  it('tells by negentropy what it accepted a moment ago, stored or not', async () => {
    const url = system().urls[0]!;
    const connection = await connect(url);
    const key = secretKeyOf('negentropy system');
    const events = Array.from({ length: 60 }, (_, n) =>
      signEvent({ kind: 1, created_at: Math.floor(Date.now() / 1_000), content: `${n}` }, key),
    );
    await Promise.all(events.map((event) => connection.publish(event)));
    const filter = { authors: [events[0]!.pubkey] };
    const known = new ItemsBuilder();
    for (const { created_at, id } of events.slice(40)) known.add(created_at, id);
    const { have, need } = await reconcile(connection, { filter, items: known.seal() });
    expect(have).toEqual([]);
    expect(need.sort()).toEqual(
      events
        .slice(0, 40)
        .map(({ id }) => id)
        .sort(),
    );
    await connection.close();
  });
});
