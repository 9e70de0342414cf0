import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { currentPosition, readChanges } from '../../../functions/database/changes.ts';
import { heartbeat } from '../../../functions/database/instances.ts';
import { migrate } from '../../../functions/database/migrate.ts';
import { monthAt } from '../../../functions/database/months.ts';
import { makeMonth } from '../../../functions/database/partitions.ts';
import { queryEvents } from '../../../functions/database/read.ts';
import { loadRecent } from '../../../functions/database/recent.ts';
import { addSource } from '../../../functions/database/sources.ts';
import { writeEvents } from '../../../functions/database/write.ts';
import { eventText, type NostrEvent } from '../../../functions/nostr/event.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { unsigned } from '../../support/unsigned.ts';

const NOT_ALLOWED = { code: '42501' };
const MARCH = Date.UTC(2026, 2, 1) / 1_000;

let database: TestDatabase;
const pools: pg.Pool[] = [];
/** Named as Cloud SQL names service accounts. */
const name = (role: string) => `${role}-${randomBytes(4).toString('hex')}@project.iam`;
const [reader, writer, stranger] = [name('relay'), name('store'), name('stranger')];

function as(user: string): pg.Pool {
  const url = new URL(database.url);
  url.username = encodeURIComponent(user);
  const pool = new pg.Pool({ connectionString: url.href, max: 2 });
  pools.push(pool);
  return pool;
}

const write = (pool: pg.Pool, ...events: NostrEvent[]) =>
  writeEvents(
    pool,
    events.map((event) => ({ event, text: eventText(event) })),
  );

beforeAll(async () => {
  database = await createDatabase();
  for (const user of [reader, writer, stranger]) {
    await database.pool.query(`create role ${pg.escapeIdentifier(user)} login`);
  }
  const access = { readers: [reader], writers: [writer] };
  // Several deployments at once: two that granted at the same time would end in an error.
  await Promise.all(Array.from({ length: 6 }, () => migrate(database.url, { access })));
  // As upkeep does later on, as the same user.
  await makeMonth(database.pool, monthAt(MARCH));
});
afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.end()));
  for (const user of [reader, writer, stranger]) {
    await database.pool.query(`drop owned by ${pg.escapeIdentifier(user)}`);
    await database.pool.query(`drop role ${pg.escapeIdentifier(user)}`);
  }
  await database.drop();
});

describe('after the grants', () => {
  it('a writer stores, replaces and deletes events, those of a new month too', async () => {
    const pool = as(writer);
    const event = unsigned({ author: 1, created_at: MARCH + 5 });
    const profile = unsigned({ author: 1, kind: 0, created_at: MARCH });
    const newer = unsigned({ author: 1, kind: 0, created_at: MARCH + 1 });
    const deletion = unsigned({
      author: 1,
      kind: 5,
      created_at: MARCH + 9,
      tags: [['e', event.id]],
    });
    await write(pool, event, profile);
    await write(pool, newer, deletion);
    const left = await queryEvents(as(reader), { kinds: [0, 1] }, { limit: 9 });
    expect(left.map(({ id }) => id)).toEqual([newer.id]);
  });

  it('a writer keeps the list of sources', async () => {
    const { id } = await addSource(as(writer), { url: 'wss://r.example/', origin: 'configured' });
    expect(id).toBeGreaterThan(0);
  });

  it('a reader loads, queries, follows the log and says that it lives', async () => {
    const pool = as(reader);
    await loadRecent(pool, { eventsMax: 10, bytesMax: 1_000_000 });
    await readChanges(pool, await currentPosition(pool), { rowsMax: 10 });
    await heartbeat(pool, 'relay-1');
    await heartbeat(pool, 'relay-1');
  });

  it('a reader writes no event', async () => {
    await expect(write(as(reader), unsigned({ author: 2 }))).rejects.toMatchObject(NOT_ALLOWED);
  });

  it('a writer makes and drops no table', async () => {
    const pool = as(writer);
    await expect(pool.query('create table mine (n int)')).rejects.toMatchObject(NOT_ALLOWED);
    await expect(pool.query('drop table kept')).rejects.toMatchObject(NOT_ALLOWED);
    await expect(pool.query('truncate kept')).rejects.toMatchObject(NOT_ALLOWED);
  });

  it('whoever was not named reads nothing', async () => {
    const read = queryEvents(as(stranger), { kinds: [1] }, { limit: 1 });
    await expect(read).rejects.toMatchObject(NOT_ALLOWED);
  });
});
