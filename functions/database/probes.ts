import type pg from 'pg';

/** What a probe of ours found out about a relay. Times are in milliseconds. */
export interface ProbeFindings {
  /** Until the WebSocket was open; absent where it did not open. */
  readonly openMs?: number;
  /** From a small request to its end. */
  readonly readMs?: number;
  /** Whether it speaks NIP-77; absent where that was not found out. */
  readonly negentropy?: boolean;
  /** Things that it sent and must not. */
  readonly faults?: number;
  /** Why the probe ended early; absent where the relay works. */
  readonly failure?: string;
}

/** Notes what a probe of a source found, by the database's clock. Its state stays as it is. */
export async function recordProbe(
  pool: pg.Pool,
  sourceId: number,
  found: ProbeFindings & { readonly information?: object },
): Promise<void> {
  const { openMs, readMs, negentropy, faults, failure, information } = found;
  await pool.query({
    name: 'record-probe',
    text: `update sources set probe = $2, probed_at = now(), nip77 = coalesce($3, nip77),
        information = coalesce($4, information) where id = $1`,
    values: [
      sourceId,
      JSON.stringify({ openMs, readMs, negentropy, faults, failure }),
      negentropy ?? null,
      information === undefined ? null : JSON.stringify(information),
    ],
  });
}

/** Candidates that nobody has resumed, and that were neither visited nor probed. */
const UNPROBED = `state = 'paused' and origin in ('monitor', 'probe') and probed_at is null
  and successes + failures = 0`;

/** The candidates that wait for a probe, those that wait longest first. */
export async function unprobedSources(
  pool: pg.Pool,
  { limit }: { readonly limit: number },
): Promise<readonly { readonly id: number }[]> {
  const { rows } = await pool.query<{ id: number }>(
    `select id from sources where ${UNPROBED} order by id limit $1`,
    [limit],
  );
  return rows;
}

/** Whether a source is still a candidate that waits for a probe. */
export async function waitsForProbe(pool: pg.Pool, sourceId: number): Promise<boolean> {
  const { rowCount } = await pool.query(`select from sources where id = $1 and ${UNPROBED}`, [
    sourceId,
  ]);
  return rowCount === 1;
}
