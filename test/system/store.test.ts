import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as functions from '@google-cloud/functions-framework';
import { getTestServer } from '@google-cloud/functions-framework/testing';
import { type Broadcast, openBroadcast } from '../../functions/cloud/broadcast.ts';
import {
  decodeLines,
  encodeLines,
  FORMAT,
  type StoredMeta,
} from '../../functions/cloud/envelope.ts';
import { writeNowhere } from '../../functions/cloud/metrics/open.ts';
import { Registry } from '../../functions/cloud/metrics/registry.ts';
import { openPublisher, type Publisher } from '../../functions/cloud/publisher.ts';
import { migrate } from '../../functions/database/migrate.ts';
import { readProvenance } from '../../functions/database/provenance.ts';
import { addSource } from '../../functions/database/sources.ts';
import { eventText, type NostrEvent } from '../../functions/nostr/event.ts';
import { parseStoreConfiguration } from '../../functions/store/configuration.ts';
import { storeHandler } from '../../functions/store/handler.ts';
import { openStore, type StoreParts } from '../../functions/store/parts.ts';
import type { StorePorts } from '../../functions/store/store.ts';
import { type Cable, layCable } from '../support/cable.ts';
import { secretKeyOf, signEvent } from '../support/keys.ts';
import { countOf } from '../support/metrics.ts';
import { type TestDatabase, usePostgres } from '../support/postgres.ts';
import { openTestPubSub, silentLog, type TestPubSub } from '../support/pubsub.ts';
import { until } from '../support/until.ts';

const postgres = usePostgres();
const key = secretKeyOf('store system');

let database: TestDatabase;
let cable: Cable;
let pubsub: TestPubSub;
let publisher: Publisher;
let broadcast: Broadcast;
let metrics: Registry;
let told: { meta: StoredMeta; event: unknown }[];
const parts: StoreParts[] = [];
const servers: Server[] = [];

beforeEach(async () => {
  database = await postgres.createDatabase();
  await migrate(database.url);
  cable = await layCable(Number(new URL(database.url).port));
  pubsub = await openTestPubSub(['incoming', 'stored', 'incoming-dead'], ['incoming']);
  await pubsub.client.createSubscription('incoming-dead', 'dead-reader');
  const { client } = pubsub;
  metrics = new Registry('store');
  publisher = openPublisher({
    pubsub: client,
    topic: 'incoming',
    pendingBytesMax: 10_000_000,
    metrics: new Registry('relay'),
  });
  told = [];
  broadcast = await openBroadcast({
    pubsub: client,
    topic: 'stored',
    subscription: 'instance-a',
    onMessage(data, attributes) {
      for (const line of decodeLines(data, attributes['format']) ?? []) {
        if ('meta' in line) told.push({ meta: line.meta as StoredMeta, event: line.event });
      }
    },
    onBreak: () => undefined,
    log: silentLog,
    metrics: new Registry('relay'),
  });
});

afterEach(async () => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
  await broadcast.close();
  await publisher.close();
  for (const each of parts.splice(0)) await each.close();
  await pubsub.remove();
  await cable.cut();
  await database.drop();
});

/** The environment of a store whose database is at the end of the cable. */
function environment(): Record<string, string> {
  const url = new URL(database.url);
  url.port = String(cable.port);
  return {
    DATABASE_URL: url.href,
    GOOGLE_CLOUD_PROJECT: pubsub.project,
    PUBSUB_EMULATOR_HOST: pubsub.host,
    LOG_LEVEL: 'error',
  };
}

/** A store behind functions-framework, on a port of its own; `change` replaces some of its ports. */
async function serve(change: (ports: StorePorts) => Partial<StorePorts> = () => ({})) {
  const configuration = parseStoreConfiguration(environment());
  if (!configuration.ok) throw new Error(configuration.reason);
  const name = `store-${servers.length}`;
  const open = async () => {
    const opened = await openStore(configuration.value, silentLog, metrics);
    parts.push(opened);
    return { ...opened, ...change(opened) };
  };
  functions.http(name, storeHandler(open, silentLog, writeNowhere(metrics)));
  return listen(getTestServer(name));
}

async function listen(server: Server): Promise<string> {
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** Has Pub/Sub push `incoming` to a store, as in the cloud but with a shorter backoff. */
const subscribe = (url: string) =>
  pubsub.client.createSubscription('incoming', 'incoming-store', {
    pushEndpoint: url,
    ackDeadlineSeconds: 60,
    retryPolicy: { minimumBackoff: { seconds: 0.1 }, maximumBackoff: { seconds: 1 } },
  });

const make = (count: number, content = 'note'): NostrEvent[] =>
  Array.from({ length: count }, (_, n) =>
    signEvent({ kind: 1, created_at: 1_700_000_000 + n, content: `${content} ${n}` }, key),
  );

const lineOf = (event: NostrEvent) => ({
  meta: { acceptedAt: 1_000, trace: `trace-${event.id.slice(0, 8)}`, source: 'client', keys: [] },
  text: eventText(event),
});

const publish = (events: readonly NostrEvent[]) =>
  Promise.all(events.map((event) => publisher.publish(lineOf(event))));

/** Posts a push body as Pub/Sub would; gives back the status. */
async function push(url: string, data: Buffer, attributes: object = { format: FORMAT }) {
  const message = { data: data.toString('base64'), attributes, messageId: '1' };
  return post(url, JSON.stringify({ message, subscription: 'projects/p/subscriptions/s' }));
}

async function post(url: string, body: string): Promise<number> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body });
  await response.arrayBuffer();
  return response.status;
}

async function storedTexts(): Promise<string[]> {
  const { rows } = await database.pool.query<{ text: string }>('select text from events');
  return rows.map(({ text }) => text).sort();
}

const textsOf = (events: readonly NostrEvent[]) => events.map(eventText).sort();

const toldOf = (outcome: StoredMeta['outcome']) =>
  told.filter(({ meta }) => meta.outcome === outcome).map(({ meta }) => meta.id);

const idsOf = (events: readonly NostrEvent[]) => events.map(({ id }) => id).sort();

/** The next dead letter. */
async function deadLetter() {
  const subscription = pubsub.client.subscription('dead-reader');
  try {
    const [message] = (await once(subscription, 'message')) as [
      { data: Buffer; attributes: Record<string, string>; ack(): void },
    ];
    message.ack();
    return message;
  } finally {
    await subscription.close();
  }
}

describe('store behind Pub/Sub', () => {
  it('stores what is published and tells every relay instance, with the text', async () => {
    await subscribe(await serve());
    const events = make(50);
    await publish(events);
    await until(() => told.length === 50, { what: 'all outcomes' });
    expect(toldOf('stored').sort()).toEqual(idsOf(events));
    for (const { meta, event } of told) {
      expect(event).toEqual(events.find(({ id }) => id === meta.id));
      expect(meta).toMatchObject({
        acceptedAt: 1_000,
        // Derived from the event, whatever the message says.
        trace: meta.id.slice(0, 32),
        change: { removed: [], seq: expect.any(Number), transaction: expect.any(Number) },
      });
    }
    expect(await storedTexts()).toEqual(textsOf(events));
  });

  it('counts what it did, how long events waited for it, and what it took of database and queue', async () => {
    await subscribe(await serve());
    await publish(make(50));
    await until(() => told.length === 50, { what: 'all outcomes' });
    await until(() => countOf(metrics, 'success_total') === 50, { what: 'the end of the calls' });
    expect(countOf(metrics, 'store_delay', { origin: 'client' })).toBe(50);
    const stored = { kind_class: 'regular', outcome: 'stored' };
    expect(countOf(metrics, 'events_total', stored)).toBe(50);
    const calls = countOf(metrics, 'process_duration');
    expect(calls).toBeGreaterThanOrEqual(1);
    expect(countOf(metrics, 'message_events')).toBe(calls);
    expect(countOf(metrics, 'database_wait')).toBeGreaterThanOrEqual(1);
    expect(countOf(metrics, 'database_connections', { state: 'idle' })).toBeGreaterThanOrEqual(1);
    expect(countOf(metrics, 'publish_duration')).toBeGreaterThanOrEqual(1);
    expect(countOf(metrics, 'publish_failures_total')).toBe(0);
    expect(countOf(metrics, 'label_faults_total')).toBe(0);
  });

  it('stores the neighbours of an event that the database refuses, and puts that one away', async () => {
    await database.pool.query(
      "alter table events add constraint no_poison check (text not like '%poison%')",
    );
    let calls = 0;
    await subscribe(
      await serve(({ write }) => ({
        write: (events) => {
          calls += 1;
          return write(events);
        },
      })),
    );
    const events = make(30);
    const [poison] = make(1, 'poison') as [NostrEvent];
    const reading = deadLetter();
    await publish([...events.slice(0, 11), poison, ...events.slice(11)]);
    const letter = await reading;
    expect(letter.attributes).toMatchObject({ sqlstate: '23514', format: FORMAT });
    expect(decodeLines(letter.data, FORMAT)).toMatchObject([{ event: { id: poison.id } }]);
    await until(() => told.length === 31, { what: 'all outcomes' });
    expect(toldOf('refused')).toEqual([poison.id]);
    expect(toldOf('stored').sort()).toEqual(idsOf(events));
    expect(await storedTexts()).toEqual(textsOf(events));
    // The way to the guilty one by halves, once: nothing was delivered again.
    expect(calls).toBeLessThan(15);
  });

  it('has everything delivered again while the database is down, and stores it all after', async () => {
    const url = await serve();
    await cable.cut();
    const events = make(40);
    expect(await push(url, encodeLines(events.slice(0, 1).map(lineOf)))).toBe(503);
    await subscribe(url);
    await publish(events.slice(0, 20));
    await publish(events.slice(20));
    expect(told).toEqual([]);
    await cable.mend();
    await until(() => toldOf('stored').length === 40, { what: 'the backlog', timeoutMs: 20_000 });
    expect(await storedTexts()).toEqual(textsOf(events));
  });

  it('survives a database that goes away and comes back while events pour in', async () => {
    await subscribe(await serve());
    const events = make(300);
    for (let turn = 0; turn < 3; turn += 1) {
      const published = publish(events.slice(turn * 100, turn * 100 + 50));
      await cable.cut();
      await published;
      await publish(events.slice(turn * 100 + 50, turn * 100 + 100));
      await cable.mend();
    }
    await until(async () => (await storedTexts()).length === 300, {
      what: 'all events',
      timeoutMs: 20_000,
    });
    // Whoever was written just before a cut may be told as a duplicate: its text is in the log.
    await until(() => new Set(told.map(({ meta }) => meta.id)).size === 300, {
      what: 'all outcomes',
      timeoutMs: 20_000,
    });
  });
});

describe('store that dies between commit and publish', () => {
  it('acknowledges the next delivery as duplicates, stored once', async () => {
    const events = make(10);
    const data = encodeLines(events.map(lineOf));
    const dying = await serve(() => ({ announce: () => Promise.reject(new Error('died')) }));
    expect(await push(dying, data)).toBe(503);
    expect(await storedTexts()).toEqual(textsOf(events));
    expect(told).toEqual([]);
    expect(await push(await serve(), data)).toBe(204);
    await until(() => told.length === 10, { what: 'the outcomes' });
    expect(toldOf('duplicate').sort()).toEqual(idsOf(events));
    const { rows } = await database.pool.query('select from changes');
    expect(rows).toHaveLength(10);
  });

  it('acknowledges late when Pub/Sub was away for a moment', async () => {
    const url = await serve();
    expect(await push(url, encodeLines(make(1).map(lineOf)))).toBe(204);
    await pubsub.stop();
    const pushed = push(url, encodeLines(make(3).map(lineOf)));
    await until(async () => (await storedTexts()).length === 3, { what: 'the commit' });
    await pubsub.start();
    expect(await pushed).toBe(204);
  });
});

describe('the HTTP side of store', () => {
  it('loads as functions-framework loads it, and takes its configuration from the environment', async () => {
    const before = { ...process.env };
    Object.assign(process.env, environment());
    try {
      await import('../../functions/store/function.ts');
    } finally {
      process.env = before;
    }
    const url = await listen(getTestServer('store'));
    const events = make(2);
    expect(await push(url, encodeLines(events.map(lineOf)))).toBe(204);
    expect(await storedTexts()).toEqual(textsOf(events));
  });

  it('puts away what is no push and what has an unknown format, and acknowledges it', async () => {
    const url = await serve();
    for (const send of [
      () => post(url, '{"hello":"world"}'),
      () => push(url, Buffer.from('from the future'), { format: '999' }),
    ]) {
      const reading = deadLetter();
      expect(await send()).toBe(204);
      expect((await reading).attributes['reason']).toMatch(/no message|999/);
    }
  });

  it('keeps where each event was first seen, which later copies do not change', async () => {
    const url = await serve();
    const upstream = 'wss://relay.example/';
    const source = await addSource(database.pool, { url: upstream, origin: 'configured' });
    const [fetched, published] = make(2) as [NostrEvent, NostrEvent];
    const copyOf = (event: NostrEvent, acceptedAt: number) => {
      const { meta, text } = lineOf(event);
      return { text, meta: { ...meta, acceptedAt, source: upstream, sourceId: source.id } };
    };
    const batch = [copyOf(fetched, 2_000), lineOf(published), copyOf(published, 3_000)];
    expect(await push(url, encodeLines(batch))).toBe(204);
    expect(await push(url, encodeLines([lineOf(fetched), copyOf(published, 4_000)]))).toBe(204);
    expect(await readProvenance(database.pool, fetched.id)).toMatchObject({
      source: upstream,
      seenAt: 2_000,
    });
    expect(await readProvenance(database.pool, published.id)).toMatchObject({
      source: 'client',
      seenAt: 1_000,
    });
  });

  it('takes nothing but POST', async () => {
    const url = await serve();
    expect((await fetch(url)).status).toBe(405);
  });

  it('stores each event once when the same ones come in many calls at a time', async () => {
    const urls = [await serve(), await serve()];
    const events = make(40);
    const statuses = await Promise.all(
      Array.from({ length: 12 }, (_, n) => {
        const some = events.filter((_, i) => (i + n) % 3 !== 0);
        return push(urls[n % 2] ?? '', encodeLines(some.map(lineOf)));
      }),
    );
    expect(new Set(statuses)).toEqual(new Set([204]));
    await until(() => told.length >= 12 * 26, { what: 'all outcomes' });
    expect(toldOf('stored').sort()).toEqual(idsOf(events));
    expect(await storedTexts()).toEqual(textsOf(events));
  });
});
