import { Registry } from '../../../functions/cloud/metrics/registry.ts';
import { coverRange } from '../../../functions/database/fetch-ranges.ts';
import { migrate } from '../../../functions/database/migrate.ts';
import { addSource } from '../../../functions/database/sources.ts';
import { parseUpkeepConfiguration } from '../../../functions/upkeep/configuration.ts';
import { openUpkeep } from '../../../functions/upkeep/upkeep.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { openTestPubSub, silentLog, type TestPubSub } from '../../support/pubsub.ts';

let database: TestDatabase;
let pubsub: TestPubSub;
beforeAll(async () => {
  database = await createDatabase();
  await migrate(database.url);
  pubsub = await openTestPubSub(['incoming', 'incoming-dead', 'stored']);
  await pubsub.client.topic('incoming-dead').createSubscription('incoming-dead-replay');
});
afterAll(async () => {
  await pubsub.remove();
  await database.drop();
});

it('one call of upkeep does all its jobs, and trims what is kept of sources', async () => {
  const { id: source } = await addSource(database.pool, {
    url: 'wss://relay.example/',
    origin: 'configured',
  });
  await coverRange(database.pool, { source, filterKey: 'former', since: 0, until: 9 });
  await database.pool.query("update fetch_ranges set touched_at = now() - interval '31 days'");
  await database.pool.query('update sources set last_success_at = now()');
  await database.pool.query(
    `insert into fetch_coverage (source, filter_key, measured_at, theirs, held, method, since, until)
      values ($1, 'k', now() - interval '366 days', 1, 1, 'sampled', 0, 9)`,
    [source],
  );
  const configuration = parseUpkeepConfiguration({
    DATABASE_URL: database.url,
    GOOGLE_CLOUD_PROJECT: pubsub.project,
    PUBSUB_EMULATOR_HOST: pubsub.host,
  });
  if (!configuration.ok) throw new Error(configuration.reason);
  const upkeep = await openUpkeep(configuration.value, silentLog, new Registry('upkeep'));
  const reports = await upkeep.run();
  expect(reports.filter(({ result }) => result !== 'done')).toEqual([]);
  expect(reports.find(({ name }) => name === 'records of sources')?.counts).toEqual({
    measurements: 1,
    ranges: 1,
  });
});
