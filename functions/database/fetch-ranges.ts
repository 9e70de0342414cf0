import type pg from 'pg';
import { withTransaction } from './session.ts';

/** Seconds of created_at, both ends included. */
export interface CoveredRange {
  readonly since: number;
  readonly until: number;
}

interface RangeRow {
  readonly filter_key: string;
  readonly since: string;
  readonly until: string;
  readonly touched: boolean;
}

/**
 * What has been fetched of a source for a filter: disjoint, apart, oldest first. Ranges that are
 * looked at stay; those that nobody asks for leave in time.
 */
export async function coveredRanges(
  pool: pg.Pool,
  source: number,
  filterKey: string,
): Promise<readonly CoveredRange[]> {
  return (await coveredRangesOf(pool, source, [filterKey])).get(filterKey) ?? [];
}

/** The same of many filters by one question; those that have no range are left out. */
export async function coveredRangesOf(
  pool: pg.Pool,
  source: number,
  filterKeys: readonly string[],
): Promise<ReadonlyMap<string, readonly CoveredRange[]>> {
  const { rows } = await pool.query<RangeRow>({
    name: 'covered-ranges',
    text: `select filter_key, since, until, touched_at > now() - interval '1 day' as touched
      from fetch_ranges where source = $1 and filter_key = any($2::text[]) order by since`,
    values: [source, filterKeys],
  });
  // To the day, so that reading is hardly ever writing.
  if (rows.some(({ touched }) => !touched)) {
    await pool.query({
      name: 'touch-ranges',
      text: `update fetch_ranges set touched_at = now()
        where source = $1 and filter_key = any($2::text[])
        and touched_at <= now() - interval '1 day'`,
      values: [source, filterKeys],
    });
  }
  const ranges = new Map<string, CoveredRange[]>();
  for (const { filter_key, since, until } of rows) {
    const range = { since: Number(since), until: Number(until) };
    const others = ranges.get(filter_key);
    if (others === undefined) ranges.set(filter_key, [range]);
    else others.push(range);
  }
  return ranges;
}

/**
 * Notes that a range is fetched, merged with all that it overlaps or touches. Whoever does the
 * same at the same time waits for the source's row, so that ranges stay disjoint and apart.
 */
export async function coverRange(
  pool: pg.Pool,
  given: CoveredRange & { readonly source: number; readonly filterKey: string },
): Promise<void> {
  const { source, filterKey, since, until } = given;
  if (!Number.isSafeInteger(since) || !Number.isSafeInteger(until) || since > until) {
    throw new RangeError(`no range of seconds: ${since} to ${until}`);
  }
  await withSource(pool, source, async (client) => {
    // A statement of its own, so that its snapshot is of after the wait for the lock.
    await client.query({
      name: 'cover-range',
      text: `with gone as (
          delete from fetch_ranges
          where source = $1 and filter_key = $2 and since <= $4::bigint + 1 and until >= $3::bigint - 1
          returning since, until
        )
        insert into fetch_ranges (source, filter_key, since, until)
        select $1, $2, least($3, min(since)), greatest($4, max(until)) from gone`,
      values: [source, filterKey, since, until],
    });
  });
}

/** Takes a range back: it will be fetched again. What lies around it stays covered. */
export async function uncoverRange(
  pool: pg.Pool,
  given: CoveredRange & { readonly source: number; readonly filterKey: string },
): Promise<void> {
  const { source, filterKey, since, until } = given;
  await withSource(pool, source, async (client) => {
    await client.query({
      name: 'uncover-range',
      text: `with gone as (
          delete from fetch_ranges
          where source = $1 and filter_key = $2 and since <= $4::bigint and until >= $3::bigint
          returning since, until
        )
        insert into fetch_ranges (source, filter_key, since, until)
        select $1, $2, g.since, $3::bigint - 1 from gone g where g.since < $3::bigint
        union all
        select $1, $2, $4::bigint + 1, g.until from gone g where g.until > $4::bigint`,
      values: [source, filterKey, since, until],
    });
  });
}

/** A transaction that has a source's ranges to itself. */
async function withSource(
  pool: pg.Pool,
  source: number,
  work: (client: pg.PoolClient) => Promise<void>,
): Promise<void> {
  await withTransaction(pool, 'begin', async (client) => {
    const lock = 'select from sources where id = $1 for no key update';
    const { rowCount } = await client.query({ name: 'lock-source', text: lock, values: [source] });
    if (rowCount !== 1) throw new Error(`there is no source ${source}`);
    await work(client);
  });
}
