import type pg from 'pg';
import { plainArray } from './array.ts';
import { eventKey } from './keys.ts';
import { withSession } from './session.ts';
import { type StoredEvent, storedEvent } from './stored-event.ts';

/**
 * A place in the changes log: this row and all before it have been read. Not a seq alone, since a
 * slow transaction commits lower ones after others have been read.
 */
export interface LogPlace {
  readonly transaction: number;
  readonly seq: number;
}

/** An event that was stored, and where in the log that stands. */
export interface Arrival extends StoredEvent {
  readonly at: LogPlace;
  /** The source that gave it first; undefined for a client. */
  readonly seenFrom: number | undefined;
}

export type ArrivalsRead =
  /** The log no longer reaches back to `after`, or `after` is not of this database. */
  | { readonly gap: true }
  | {
      readonly gap: false;
      /** In the order of the log; those that are gone again are left out. */
      readonly arrivals: readonly Arrival[];
      /** All up to here has been read. */
      readonly place: LogPlace;
      /** False where `rowsMax` cut the read: there is more up to now. */
      readonly complete: boolean;
    };

interface Row {
  readonly xmin: string;
  readonly xmax: string;
  readonly below: string;
  readonly transaction: string | null;
  readonly seq: string | null;
  readonly id: string | null;
  readonly text: string | null;
  readonly seen_from: number | null;
}

/**
 * Reads what was stored after a place of the log, at most `rowsMax` events, in the order in which
 * the log has them: by transaction, and only below the oldest one that still runs, so that whoever
 * goes on from the last row misses nothing that commits later.
 */
export async function readArrivals(
  pool: pg.Pool,
  after: LogPlace,
  { rowsMax }: { readonly rowsMax: number },
): Promise<ArrivalsRead> {
  return withSession(pool, async (client) => {
    const { rows } = await client.query<Row>({
      name: 'read-arrivals',
      // One statement, so that horizon, trimming and rows are of one snapshot.
      text: `with c as materialized (
          select transaction, seq, id, created_at from changes
          where (transaction, seq) > ($1::text::xid8, $2::bigint) and what = 'a'
            and transaction < pg_snapshot_xmin(pg_current_snapshot())
          order by transaction, seq limit $3
        )
        select pg_snapshot_xmin(s) as xmin, pg_snapshot_xmax(s) as xmax, below,
          c.transaction, c.seq, c.id, coalesce(e.text, k.text) as text,
          coalesce(e.seen_from, k.seen_from) as seen_from
        from pg_current_snapshot() s
        cross join changes_trimmed
        left join c on true
        left join lateral (
          select text, seen_from from events
          where created_at = c.created_at and key = left(c.id, 32)::uuid
        ) e on true
        left join lateral (
          select text, seen_from from kept where key = left(c.id, 32)::uuid
        ) k on true
        order by c.transaction, c.seq`,
      values: [String(after.transaction), after.seq, rowsMax],
    });
    const head = rows[0];
    if (head === undefined) throw new Error('changes_trimmed has no row');
    const { transaction } = after;
    if (transaction > Number(head.xmax) || transaction < Number(head.below)) return { gap: true };
    const read = rows.filter(({ id }) => id !== null);
    const complete = read.length < rowsMax;
    const horizon = Math.max(transaction, Number(head.xmin));
    // No row has the seq 0, so this is before all of the first transaction that was still running.
    const end = horizon > transaction ? { transaction: horizon, seq: 0 } : after;
    return {
      gap: false,
      arrivals: read.flatMap(arrivalOf),
      place: complete ? end : placeOf(read.at(-1)!),
      complete,
    };
  });
}

const placeOf = ({ transaction, seq }: Row): LogPlace => ({
  transaction: Number(transaction),
  seq: Number(seq),
});

function arrivalOf(row: Row): Arrival[] {
  if (row.text === null) return [];
  const event = storedEvent(row.text);
  return [{ ...event, at: placeOf(row), seenFrom: row.seen_from ?? undefined }];
}

/**
 * The texts of those events that are stored and were not first seen from a source, in the order
 * given; others are left out.
 */
export async function readNotFrom(
  pool: pg.Pool,
  source: number,
  events: readonly { readonly id: string; readonly createdAt: number }[],
): Promise<string[]> {
  if (events.length === 0) return [];
  return withSession(pool, async (client) => {
    const { rows } = await client.query<{ text: string }>({
      name: 'read-not-from',
      text: `select coalesce(e.text, k.text) as text
        from unnest($1::uuid[], $2::bigint[]) with ordinality as given(key, created_at, n)
        left join lateral (
          select text, seen_from from events
          where created_at = given.created_at and key = given.key
        ) e on true
        left join lateral (select text, seen_from from kept where key = given.key) k on true
        where coalesce(e.text, k.text) is not null
          and coalesce(e.seen_from, k.seen_from) is distinct from $3::int
        order by n`,
      values: [
        plainArray(events.map(({ id }) => eventKey(id))),
        plainArray(events.map(({ createdAt }) => createdAt)),
        source,
      ],
    });
    return rows.map(({ text }) => text);
  });
}
