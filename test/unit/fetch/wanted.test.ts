import { Registry } from '../../../functions/cloud/metrics/registry.ts';
import { migrate } from '../../../functions/database/migrate.ts';
import { monthAt } from '../../../functions/database/months.ts';
import { makeMonth } from '../../../functions/database/partitions.ts';
import { parseFetchConfiguration } from '../../../functions/fetch/configuration.ts';
import { FetchMeter } from '../../../functions/fetch/meter.ts';
import { piecePorts } from '../../../functions/fetch/parts.ts';
import type { NostrEvent } from '../../../functions/nostr/event.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { silentLog } from '../../support/pubsub.ts';
import { unsigned } from '../../support/unsigned.ts';

const NOW = Math.floor(Date.now() / 1_000);
const DAY = 86_400;

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
  await migrate(database.url);
});
afterAll(() => database.drop());

/** Which of these events a fetcher with such variables wants, and which it would pass on. */
async function wanted(env: Record<string, string>, events: readonly NostrEvent[]) {
  const given = { DATABASE_URL: database.url, GOOGLE_CLOUD_PROJECT: 'test', ...env };
  const configuration = parseFetchConfiguration(given);
  if (!configuration.ok) throw new Error(configuration.reason);
  const ports = piecePorts(
    configuration.value,
    database.pool,
    async () => '1',
    silentLog,
    new FetchMeter(new Registry('fetch')),
  );
  const ids = new Set((await ports.wanted(events)).map(({ id }) => id));
  const context = { nowSeconds: NOW, bytes: 300 };
  return events.map((event) => [ids.has(event.id), ports.policy(event, context).ok]);
}

describe('what a fetcher wants', () => {
  const recent = unsigned({ created_at: NOW - DAY });
  const old = unsigned({ created_at: NOW - 100 * DAY });
  const reaction = unsigned({ kind: 7, created_at: NOW - 100 * DAY });
  const profile = unsigned({ kind: 0, created_at: NOW - 100 * DAY });
  const events = [recent, old, reaction, profile];
  const yes = [true, true];
  const no = [false, false];

  it('is all where nothing leaves by its age', async () => {
    expect(await wanted({}, events)).toEqual([yes, yes, yes, yes]);
  });

  it('is not what upkeep removes for its age, or for its kind and age', async () => {
    expect(await wanted({ RETENTION_DAYS: '60' }, events)).toEqual([yes, no, no, yes]);
    expect(await wanted({ RETENTION_KINDS: '7:30' }, events)).toEqual([yes, yes, no, yes]);
  });

  it('is nothing of before the first month where what is oldest leaves by size', async () => {
    await makeMonth(database.pool, monthAt(NOW - DAY));
    // It may still be passed on: whether there is room for it is not known here.
    const unknown = [false, true];
    expect(await wanted({ RETENTION_GIGABYTES: '1' }, events)).toEqual([
      yes,
      unknown,
      unknown,
      yes,
    ]);
  });
});
