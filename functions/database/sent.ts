import type pg from 'pg';
import type { LogPlace } from './arrivals.ts';

/** How far events have been sent to a source by the changes log. */
export interface Sent {
  readonly place: LogPlace;
  /** Keys of the filters for which that holds. */
  readonly filterKeys: readonly string[];
  /** Visits in a row that ended at the same event. */
  readonly stalled: number;
}

interface Row {
  readonly sent_transaction: string | null;
  readonly sent_seq: string | null;
  readonly sent_filters: string[] | null;
  readonly sent_stalled: number;
}

/** How far has been sent; undefined where nothing was yet. */
export async function readSent(pool: pg.Pool, source: number): Promise<Sent | undefined> {
  const { rows } = await pool.query<Row>({
    name: 'read-sent',
    text: `select sent_transaction, sent_seq, sent_filters, sent_stalled from sources where id = $1`,
    values: [source],
  });
  const [row] = rows;
  if (row?.sent_transaction == null) return undefined;
  return {
    place: { transaction: Number(row.sent_transaction), seq: Number(row.sent_seq) },
    filterKeys: row.sent_filters ?? [],
    stalled: row.sent_stalled,
  };
}

/** Notes how far has been sent: place and filters in one, since one says nothing without the other. */
export async function noteSent(pool: pg.Pool, source: number, sent: Sent): Promise<void> {
  const { place, filterKeys, stalled } = sent;
  await pool.query({
    name: 'note-sent',
    text: `update sources set sent_transaction = $2, sent_seq = $3, sent_filters = $4,
        sent_stalled = $5 where id = $1`,
    values: [source, place.transaction, place.seq, filterKeys, stalled],
  });
}
