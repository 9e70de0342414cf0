import type pg from 'pg';

/** Rows that one run takes of each table at most: more are left for the next one. */
const ROWS_A_RUN = 50_000;

export interface TrimRules {
  /** Measurements that are older leave. */
  readonly coverageDays: number;
  /** And of each source and filter, all but so many of the newest. */
  readonly coverageRows: number;
  /** Ranges that no visit has asked for in so many days leave. */
  readonly rangeDays: number;
}

/** Trims the series of coverage. @returns how many measurements left. */
export async function trimCoverage(
  pool: pg.Pool,
  { coverageDays, coverageRows }: TrimRules,
): Promise<number> {
  const { rowCount } = await pool.query(
    `delete from fetch_coverage where ctid in (
      select ctid from (
        select ctid, measured_at,
          row_number() over (partition by source, filter_key order by measured_at desc) as n
        from fetch_coverage
      ) c where n > $1 or measured_at < now() - make_interval(days => $2) limit ${ROWS_A_RUN}
    )`,
    [coverageRows, coverageDays],
  );
  return rowCount ?? 0;
}

/**
 * Trims ranges of filters that a source no longer has: those that its visits, which still succeed,
 * have not asked for. What belongs to a source that is paused or does not answer stays.
 * @returns how many ranges left.
 */
export async function trimRanges(pool: pg.Pool, { rangeDays }: TrimRules): Promise<number> {
  const { rowCount } = await pool.query(
    // Not by ctid alone: a range may be touched while this waits for it.
    `delete from fetch_ranges where touched_at < now() - make_interval(days => $1) and ctid in (
      select r.ctid from fetch_ranges r join sources s on s.id = r.source
      where r.touched_at < now() - make_interval(days => $1) and s.state = 'active'
        and s.last_success_at > now() - interval '1 day'
      limit ${ROWS_A_RUN}
    )`,
    [rangeDays],
  );
  return rowCount ?? 0;
}
