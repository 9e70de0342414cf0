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
