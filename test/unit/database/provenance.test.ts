import { currentPosition, readChanges } from '../../../functions/database/changes.ts';
import { merge } from '../../../functions/database/merge-months.ts';
import { migrate } from '../../../functions/database/migrate.ts';
import { listMonths, monthAt } from '../../../functions/database/months.ts';
import { makeMonth } from '../../../functions/database/partitions.ts';
import { readProvenance } from '../../../functions/database/provenance.ts';
import { addSource, removeSource, type Source } from '../../../functions/database/sources.ts';
import { type Seen, writeEvents } from '../../../functions/database/write.ts';
import { eventText, type NostrEvent } from '../../../functions/nostr/event.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { unsigned } from '../../support/unsigned.ts';

let database: TestDatabase;
let source: Source;
beforeAll(async () => {
  database = await createDatabase();
  await migrate(database.url);
  source = await addSource(database.pool, { url: 'wss://relay.example/', origin: 'configured' });
});
afterAll(() => database.drop());

const write = (...events: readonly (readonly [NostrEvent, Seen?])[]) =>
  writeEvents(
    database.pool,
    events.map(([event, seen]) => ({ event, text: eventText(event), ...(seen && { seen }) })),
  );
const origin = async ({ id }: NostrEvent) => {
  const found = await readProvenance(database.pool, id);
  return found && [found.source, found.seenAt];
};
const fetched = (seenAt: number): Seen => ({ seenFrom: source.id, seenAt });

describe('where an event was first seen', () => {
  it('is its source or a client, with the time, for regular events and for kept ones', async () => {
    const events = [1, 0, 5].map((kind) => unsigned({ kind, content: 'fetched' }));
    const [note, profile, request] = events as [NostrEvent, NostrEvent, NostrEvent];
    const published = unsigned({ content: 'published' });
    const old = unsigned({ content: 'of an earlier version' });
    await write(
      [note, fetched(1_700_000_000_123)],
      [published, { seenAt: 5 }],
      [profile, fetched(6)],
      [old],
      [request, fetched(7)],
    );
    expect(await origin(note)).toEqual(['wss://relay.example/', 1_700_000_000_123]);
    expect(await origin(published)).toEqual(['client', 5]);
    expect(await origin(profile)).toEqual(['wss://relay.example/', 6]);
    expect(await origin(request)).toEqual(['wss://relay.example/', 7]);
    expect(await origin(old)).toEqual(['client', undefined]);
    expect(await readProvenance(database.pool, note.id)).toMatchObject({
      id: note.id,
      kind: 1,
      createdAt: note.created_at,
    });
  });

  it('comes with the changes log as a time, for regular events and for kept ones', async () => {
    const position = await currentPosition(database.pool);
    const [note, profile, old] = [1, 0, 7].map((kind) => unsigned({ kind, content: 'logged' }));
    await write([note!, { seenAt: 50 }], [profile!, fetched(60)], [old!]);
    const read = await readChanges(database.pool, position, { rowsMax: 10 });
    const times = new Map<string, number | undefined>();
    for (const change of read.gap ? [] : read.changes) {
      if (change.type === 'added') times.set(change.id, change.seenAt);
    }
    expect([note, profile, old].map((event) => times.get(event!.id))).toEqual([50, 60, undefined]);
    expect(times.size).toBe(3);
  });

  it('is nowhere for an event that is not held, also where its key is that of another', async () => {
    const event = unsigned({ content: 'alone' });
    await write([event, { seenAt: 1 }]);
    expect(await readProvenance(database.pool, 'f'.repeat(64))).toBeUndefined();
    const twin = event.id.slice(0, 32) + 'f'.repeat(32);
    expect(await readProvenance(database.pool, twin)).toBeUndefined();
  });

  it('is that of the first copy, in one batch and over many', async () => {
    const event = unsigned({ content: 'twice' });
    const profile = unsigned({ kind: 0, author: 2 });
    await write([event, fetched(10)], [event, { seenAt: 11 }], [profile, { seenAt: 12 }]);
    await write([profile, fetched(13)], [event, { seenAt: 14 }]);
    expect(await origin(event)).toEqual(['wss://relay.example/', 10]);
    expect(await origin(profile)).toEqual(['client', 12]);
  });

  it('is a version’s own, not that of the one before', async () => {
    const first = unsigned({ kind: 0, author: 3, created_at: 100 });
    const second = unsigned({ kind: 0, author: 3, created_at: 200 });
    await write([first, fetched(20)]);
    await write([second, { seenAt: 21 }]);
    expect(await origin(first)).toBeUndefined();
    expect(await origin(second)).toEqual(['client', 21]);
  });

  it('outlives the moves between partitions, and the removal of the source', async () => {
    const created_at = Date.UTC(2026, 0, 10) / 1_000;
    const event = unsigned({ created_at });
    await write([event, fetched(30)], [unsigned({ created_at, kind: 7 }), fetched(31)]);
    await makeMonth(database.pool, monthAt(created_at));
    expect(await origin(event)).toEqual(['wss://relay.example/', 30]);
    await makeMonth(database.pool, monthAt(created_at, 1));
    expect(await merge(database.pool, 'y2026', await listMonths(database.pool))).toBe(true);
    await removeSource(database.pool, source.id);
    expect(await origin(event)).toEqual(['wss://relay.example/', 30]);
  });
});

describe('the version before', () => {
  it('writes to the new tables as it did to the old ones', async () => {
    const event = unsigned({ content: 'by the version before' });
    await database.pool.query(
      `insert into events (created_at, key, author, kind, text)
        values ($1, $2, $3, 1, $4)`,
      [event.created_at, event.id.slice(0, 32), event.pubkey.slice(0, 32), eventText(event)],
    );
    expect(await origin(event)).toEqual(['client', undefined]);
  });
});
