import { currentPosition, readChanges } from '../../../functions/database/changes.ts';
import { migrate } from '../../../functions/database/migrate.ts';
import { queryEvents } from '../../../functions/database/read.ts';
import { loadRecent } from '../../../functions/database/recent.ts';
import { writeEvents } from '../../../functions/database/write.ts';
import { eventText, type NostrEvent } from '../../../functions/nostr/event.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { authorOf, unsigned } from '../../support/unsigned.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createDatabase();
  await migrate(database.url);
});
afterAll(() => database.drop());

const write = (...events: NostrEvent[]) =>
  writeEvents(
    database.pool,
    events.map((event) => ({ event, text: eventText(event) })),
  );
const found = (filter: Parameters<typeof queryEvents>[1]) =>
  queryEvents(database.pool, filter, { limit: 100 });
const tag = (letter: string, value: string) => new Map([[letter, [value]]]);

describe('events at the edge of what NIP-01 allows', () => {
  it('are given back byte for byte, U+0000 in content and tags included', async () => {
    const event = unsigned({ content: 'a\u0000b\u2028\\"😀', tags: [['t', 'x\u0000y']] });
    await write(event);
    const [row] = await found({ tags: tag('t', 'x\u0000y') });
    expect(row?.text).toBe(eventText(event));
  });

  it('are found by a tag value of 100 kB', async () => {
    const long = 'v'.repeat(100_000);
    const event = unsigned({ tags: [['r', long]] });
    await write(event);
    expect((await found({ tags: tag('r', long) })).map(({ id }) => id)).toEqual([event.id]);
    expect(await found({ tags: tag('r', `${long}w`) })).toEqual([]);
  });

  it('are given up with the reason when they come to more than the caller takes', async () => {
    const big = [1, 2, 3].map((n) =>
      unsigned({ author: 12, created_at: n, content: 'x'.repeat(100_000) }),
    );
    await write(...big);
    let bytes = 0;
    const query = queryEvents(
      database.pool,
      { authors: [authorOf(12)] },
      {
        limit: 100,
        take: (size) => {
          bytes += size;
          if (bytes > 200_000) throw new Error('enough');
        },
      },
    );
    await expect(query).rejects.toThrow('enough');
    // The connection is as good as before.
    expect(await found({ authors: [authorOf(12)] })).toHaveLength(3);
  });

  it('may have tags of one element, which have no value to be found by', async () => {
    const event = unsigned({ author: 9, tags: [['d'], ['q']] });
    await write(event);
    expect(await found({ authors: [authorOf(9)] })).toHaveLength(1);
    expect(await found({ tags: tag('q', '') })).toEqual([]);
  });

  it('may be as old as 1970 or as young as a whole number can say', async () => {
    const times = [0, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER];
    const events = times.map((created_at) => unsigned({ author: 10, created_at }));
    await write(...events);
    const newestFirst = events.map(({ id }) => id).reverse();
    expect((await found({ authors: [authorOf(10)] })).map(({ id }) => id)).toEqual(newestFirst);
    expect((await found({ authors: [authorOf(10)], until: 0 })).map(({ id }) => id)).toEqual([
      events[0]?.id,
    ]);
  });

  it('come out by lowest id within one second', async () => {
    const events = ['a', 'b', 'c', 'd'].map((content) => unsigned({ author: 11, content }));
    await write(...events);
    const ids = (await found({ authors: [authorOf(11)] })).map(({ id }) => id);
    expect(ids).toEqual(events.map(({ id }) => id).sort());
  });
});

describe('writeEvents', () => {
  it('says of each event of a batch what became of it', async () => {
    const note = unsigned({ author: 20 });
    const [old, young] = [1, 2].map((created_at) => unsigned({ author: 20, kind: 0, created_at }));
    if (old === undefined || young === undefined) throw new Error('two versions');
    const { outcomes } = await write(note, note, young, old);
    expect(outcomes.map(({ outcome }) => outcome)).toEqual([
      'stored',
      'duplicate',
      'stored',
      'superseded',
    ]);
    const newer = unsigned({ author: 20, kind: 0, created_at: 3 });
    const { outcomes: later } = await write(newer, young, note);
    expect(later[0]).toMatchObject({ outcome: 'stored', removed: [{ id: young.id }] });
    expect(later.slice(1).map(({ outcome }) => outcome)).toEqual(['superseded', 'duplicate']);
  });

  it('deletes for the author alone, and keeps it deleted', async () => {
    const note = unsigned({ author: 21 });
    const byStranger = unsigned({ author: 22, kind: 5, tags: [['e', note.id]] });
    const byAuthor = unsigned({ author: 21, kind: 5, tags: [['e', note.id]] });
    await write(byStranger);
    expect((await write(note)).outcomes[0]?.outcome).toBe('stored');
    expect((await write(byAuthor)).outcomes[0]).toMatchObject({ removed: [{ id: note.id }] });
    expect((await write(note)).outcomes[0]?.outcome).toBe('deleted');
    expect(await found({ ids: [note.id] })).toEqual([]);
    expect(await found({ ids: [byAuthor.id] })).toHaveLength(1);
  });
});

describe('the changes log', () => {
  it('skips nothing of a transaction that commits late', async () => {
    const slow = await database.pool.connect();
    try {
      await slow.query('begin');
      await slow.query('select pg_current_xact_id()');
      const from = await currentPosition(database.pool);
      const quick = unsigned({ author: 30, content: 'quick' });
      await write(quick);
      // The open transaction is older: what came after it must wait for it.
      const held = await readChanges(database.pool, from, { rowsMax: 10 });
      expect(held).toMatchObject({ changes: [] });
      await slow.query(
        `insert into changes (what, id, created_at, kind) values ('r', '${'0'.repeat(64)}', 1, 1)`,
      );
      await slow.query('commit');
      const position = held.gap ? from : held.position;
      const read = await readChanges(database.pool, position, { rowsMax: 10 });
      expect(read).toMatchObject({
        changes: [
          { type: 'added', id: quick.id },
          { type: 'removed', id: '0'.repeat(64) },
        ],
      });
    } finally {
      slow.release();
    }
  });

  it('goes on in bounded reads, and from where a snapshot was taken', async () => {
    const { position, completeSince, events } = await loadRecent(database.pool, {
      eventsMax: 3,
      bytesMax: 1e9,
    });
    expect(events).toHaveLength(3);
    expect(completeSince).toBe((events[2]?.createdAt ?? 0) + 1);
    const notes = ['a', 'b', 'c'].map((content) => unsigned({ author: 31, content }));
    for (const note of notes) await write(note);
    const ids: string[] = [];
    for (let from = position, complete = false; !complete; ) {
      const read = await readChanges(database.pool, from, { rowsMax: 1 });
      if (read.gap) throw new Error('the log reaches back');
      ids.push(...read.changes.flatMap((change) => (change.type === 'added' ? [change.id] : [])));
      from = read.position;
      complete = read.complete;
    }
    expect(ids).toEqual(notes.map(({ id }) => id));
  });
});
