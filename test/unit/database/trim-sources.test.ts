import { appendCoverage, readCoverage } from '../../../functions/database/coverage.ts';
import { coveredRanges, coverRange } from '../../../functions/database/fetch-ranges.ts';
import { migrate } from '../../../functions/database/migrate.ts';
import {
  addSource,
  pauseSource,
  recordRun,
  type Source,
  type SourceRun,
} from '../../../functions/database/sources.ts';
import { trimCoverage, trimRanges } from '../../../functions/database/trim-sources.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';

const RULES = { coverageDays: 365, coverageRows: 3, rangeDays: 30 };
const RUN: SourceRun = {
  requests: 1,
  events: 1,
  newEvents: 1,
  bytes: 1,
  invalid: 0,
  withheld: 0,
  suspect: 0,
  standing: { newPerRequest: 0, uptime: 1, failuresInRow: 0 },
  nextInSeconds: 600,
};

let database: TestDatabase;
let source: Source;
beforeAll(async () => {
  database = await createDatabase();
  await migrate(database.url);
});
afterAll(() => database.drop());
beforeEach(async () => {
  await database.pool.query('truncate sources, fetch_ranges, fetch_coverage');
  source = await addSource(database.pool, { url: 'wss://relay.example/', origin: 'configured' });
});

const filterKeys = async (table: string): Promise<string[]> => {
  const { rows } = await database.pool.query<{ filter_key: string }>(
    `select filter_key from ${table} order by filter_key`,
  );
  return rows.map(({ filter_key }) => filter_key);
};

describe('the series of coverage', () => {
  it('keeps a year, and of each filter so many of the newest', async () => {
    const measure = async (filterKey: string, theirs: number, daysAgo: number) => {
      await appendCoverage(database.pool, {
        source: source.id,
        filterKey,
        theirs,
        held: 1,
        method: 'sampled',
        since: 0,
        until: 9,
      });
      await database.pool.query(
        'update fetch_coverage set measured_at = now() - make_interval(days => $1) where theirs = $2',
        [daysAgo, theirs],
      );
    };
    for (const [theirs, daysAgo] of [5, 4, 3, 2, 1].entries()) {
      await measure('often', theirs, daysAgo);
    }
    await measure('seldom', 10, 364);
    await measure('seldom', 11, 366);
    expect(await trimCoverage(database.pool, RULES)).toBe(3);
    const left = await readCoverage(database.pool, source.id, { limit: 10 });
    expect(left.map(({ filterKey, theirs }) => [filterKey, theirs])).toEqual([
      ['often', 4],
      ['often', 3],
      ['often', 2],
      ['seldom', 10],
    ]);
    expect(await trimCoverage(database.pool, RULES)).toBe(0);
  });
});

describe('covered ranges', () => {
  const cover = (filterKey: string) =>
    coverRange(database.pool, { source: source.id, filterKey, since: 1, until: 9 });
  const age = (days: number) =>
    database.pool.query('update fetch_ranges set touched_at = now() - make_interval(days => $1)', [
      days,
    ]);
  const visitAgo = (days: number) =>
    database.pool.query('update sources set last_success_at = now() - make_interval(days => $1)', [
      days,
    ]);

  it('leave when no visit of the source has asked for them in a month', async () => {
    await cover('former');
    await cover('used');
    await cover('up:used');
    await age(31);
    await coveredRanges(database.pool, source.id, 'used');
    await coveredRanges(database.pool, source.id, 'up:used');
    await cover('new');
    await visitAgo(0);
    expect(await trimRanges(database.pool, RULES)).toBe(1);
    expect(await filterKeys('fetch_ranges')).toEqual(['new', 'up:used', 'used']);
    await age(29);
    expect(await trimRanges(database.pool, RULES)).toBe(0);
  });

  it('stay with a source that is paused or does not answer', async () => {
    await cover('k');
    await age(90);
    expect(await trimRanges(database.pool, RULES)).toBe(0);
    await visitAgo(60);
    expect(await trimRanges(database.pool, RULES)).toBe(0);
    await visitAgo(0);
    await pauseSource(database.pool, source.id);
    expect(await trimRanges(database.pool, RULES)).toBe(0);
  });

  it('stay with a source that answers again after a long time', async () => {
    await cover('k');
    await age(90);
    await visitAgo(60);
    await recordRun(database.pool, source.id, { ...RUN, failure: 'still away' });
    await recordRun(database.pool, source.id, RUN);
    expect(await trimRanges(database.pool, RULES)).toBe(0);
    // From now on its visits count again.
    await age(31);
    await recordRun(database.pool, source.id, RUN);
    expect(await trimRanges(database.pool, RULES)).toBe(1);
  });
});
