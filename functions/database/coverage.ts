import type pg from 'pg';

/** What share of a source's events we held when it was measured. */
export interface Coverage {
  readonly source: number;
  readonly filterKey: string;
  /** How many events the source has. */
  readonly theirs: number;
  /** How many of those we have. */
  readonly held: number;
  readonly method: 'negentropy' | 'sampled';
  /** First and last second of what was measured. */
  readonly since: number;
  readonly until: number;
}

/** Adds a measurement to the series; by the database's clock. */
export async function appendCoverage(pool: pg.Pool, measured: Coverage): Promise<void> {
  const { source, filterKey, theirs, held, method, since, until } = measured;
  await pool.query({
    name: 'append-coverage',
    text: `insert into fetch_coverage (source, filter_key, theirs, held, method, since, until)
      values ($1, $2, $3, $4, $5, $6, $7)`,
    values: [source, filterKey, theirs, held, method, since, until],
  });
}

interface Row {
  readonly filter_key: string;
  readonly measured_at: Date;
  readonly theirs: string;
  readonly held: string;
  readonly method: Coverage['method'];
  readonly since: string;
  readonly until: string;
}

/** The measurements of a source, of one filter or of all, newest first. */
export async function readCoverage(
  pool: pg.Pool,
  source: number,
  { filterKey, limit }: { readonly filterKey?: string; readonly limit: number },
): Promise<(Coverage & { readonly measuredAt: Date })[]> {
  const { rows } = await pool.query<Row>(
    `select filter_key, measured_at, theirs, held, method, since, until from fetch_coverage
      where source = $1 and ($2::text is null or filter_key = $2)
      order by measured_at desc limit $3`,
    [source, filterKey ?? null, limit],
  );
  return rows.map((row) => ({
    source,
    filterKey: row.filter_key,
    measuredAt: row.measured_at,
    theirs: Number(row.theirs),
    held: Number(row.held),
    method: row.method,
    since: Number(row.since),
    until: Number(row.until),
  }));
}

/** What the newest measurement of a source's filter said. */
export type NewestCoverage = Pick<Coverage, 'source' | 'filterKey' | 'theirs' | 'held'>;

/** The newest measurements of these filters of sources; those never measured are left out. */
export async function newestCoverage(
  pool: pg.Pool,
  wanted: readonly { readonly source: number; readonly filterKey: string }[],
): Promise<NewestCoverage[]> {
  if (wanted.length === 0) return [];
  // One probe of the index each, however long the series are.
  const { rows } = await pool.query<
    Pick<Row, 'filter_key' | 'theirs' | 'held'> & Pick<Coverage, 'source'>
  >({
    name: 'newest-coverage',
    text: `select w.source, w.filter_key, c.theirs, c.held
      from unnest($1::integer[], $2::text[]) as w (source, filter_key)
      cross join lateral (
        select theirs, held from fetch_coverage
        where source = w.source and filter_key = w.filter_key
        order by measured_at desc limit 1
      ) c`,
    values: [wanted.map(({ source }) => source), wanted.map(({ filterKey }) => filterKey)],
  });
  return rows.map(({ source, filter_key, theirs, held }) => ({
    source,
    filterKey: filter_key,
    theirs: Number(theirs),
    held: Number(held),
  }));
}
