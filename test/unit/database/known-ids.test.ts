import { knownIds } from '../../../functions/database/known-ids.ts';
import { migrate } from '../../../functions/database/migrate.ts';
import { writeEvents } from '../../../functions/database/write.ts';
import { eventText, type NostrEvent } from '../../../functions/nostr/event.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { unsigned } from '../../support/unsigned.ts';

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
const known = async (...events: NostrEvent[]) => {
  const ids = await knownIds(database.pool, events);
  return events.map(({ id }) => ids.has(id));
};

describe('known ids', () => {
  it('are those that are stored, in either table', async () => {
    const [note, profile] = [unsigned(), unsigned({ kind: 0 })];
    await write(note, profile);
    expect(await known(note, unsigned({ content: 'new' }), profile)).toEqual([true, false, true]);
    expect(await known()).toEqual([]);
  });

  it('are older versions of what is stored, and not newer ones or those of other addresses', async () => {
    const at = (created_at: number, d = 'x', author = 2) =>
      unsigned({ kind: 30_023, author, created_at, tags: [['d', d]] });
    const [first, second] = [0, 1]
      .map((n) => unsigned({ kind: 3, author: 3, created_at: 5, content: String(n) }))
      .sort((a, b) => (a.id < b.id ? -1 : 1)) as [NostrEvent, NostrEvent];
    await write(at(5), first);
    expect(await known(at(4), at(6), at(4, 'y'), at(4, 'x', 5))).toEqual([
      true,
      false,
      false,
      false,
    ]);
    // In one second the lowest id is the newer version.
    expect(await known(second)).toEqual([true]);
    await database.pool.query('delete from kept where author = $1', [first.pubkey.slice(0, 32)]);
    await write(second);
    expect(await known(first)).toEqual([false]);
  });

  it('are what its author deleted, and not what a stranger wants deleted', async () => {
    const own = unsigned({ author: 6, content: 'own' });
    const foreign = unsigned({ author: 7, content: 'foreign' });
    const tags = [own, foreign].map(({ id }) => ['e', id]);
    await write(unsigned({ kind: 5, author: 6, created_at: 1_800_000_000, tags }));
    expect(await known(own, foreign)).toEqual([true, false]);
  });

  it('are versions of an address up to where its author deleted it, and not later ones', async () => {
    const at = (created_at: number, d: string) =>
      unsigned({ kind: 30_023, author: 8, created_at, tags: [['d', d]] });
    const [before, later, other] = [at(5, 'gone'), at(11, 'gone'), at(5, 'other')];
    const tags = [['a', `30023:${before.pubkey}:gone`]];
    await write(unsigned({ kind: 5, author: 8, created_at: 10, tags }));
    expect(await known(before, at(10, 'gone'), later, other)).toEqual([true, true, false, false]);
    await write(before);
    expect(await known(before)).toEqual([true]);
  });

  it('are versions that are older than one which its author deleted by id', async () => {
    const at = (created_at: number) => unsigned({ kind: 10_002, author: 9, created_at });
    await write(at(7));
    await write(unsigned({ kind: 5, author: 9, created_at: 20, tags: [['e', at(7).id]] }));
    expect(await known(at(6), at(7), at(8))).toEqual([true, true, false]);
  });
});
