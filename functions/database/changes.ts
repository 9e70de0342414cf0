import type pg from 'pg';
import { withSession } from './session.ts';

/** What happened to the set of stored events. Of two changes to one id the higher seq holds. */
export type Change =
  | {
      readonly type: 'added';
      readonly id: string;
      readonly seq: number;
      /** Of PostgreSQL, that did it. */
      readonly transaction: number;
      readonly createdAt: number;
      readonly text: string;
      /** When some part took it, Unix milliseconds; absent of what an earlier version wrote. */
      readonly seenAt?: number;
    }
  | {
      readonly type: 'removed';
      readonly id: string;
      readonly seq: number;
      readonly transaction: number;
    }
  | {
      /** Retention took every event that ages out, of one kind or of all, from second to second. */
      readonly type: 'dropped';
      readonly seq: number;
      readonly transaction: number;
      /** First second of the range. */
      readonly fromSeconds: number;
      /** Last second of the range. */
      readonly toSeconds: number;
      /** Only this kind; absent where it took all. */
      readonly kind?: number;
    };

/**
 * How far a reader has come: every transaction below this number has been read. Not a seq, since
 * a slow transaction commits lower ones after others have been read.
 */
export type LogPosition = number;

export type ChangesRead =
  /** The log has been trimmed beyond `from`; or, `restored`, `from` is not of this database. */
  | { readonly gap: true; readonly restored: boolean }
  | {
      readonly gap: false;
      /** In the order of seq. Additions of events that are gone again are left out. */
      readonly changes: Change[];
      /** Where the next read begins. */
      readonly position: LogPosition;
      /** Transactions that began after this read have this number or a higher one. */
      readonly next: LogPosition;
      /** False where `rowsMax` cut the read: there is more up to now. */
      readonly complete: boolean;
    };

interface Row {
  /** The three of the read itself are in every row, and in one row of nulls where there is none. */
  readonly xmin: string;
  readonly xmax: string;
  readonly below: string;
  readonly seq: string | null;
  readonly transaction: string | null;
  readonly what: 'a' | 'r' | 'd' | null;
  readonly id: string | null;
  readonly created_at: string | null;
  readonly until: string | null;
  readonly kind: number | null;
  readonly text: string | null;
  readonly seen_at: string | null;
}

/** One statement, so that horizon, trimming and rows are of one snapshot. */
const statement = (rows: string): string => `
  with c as materialized (${rows})
  select pg_snapshot_xmin(s) as xmin, pg_snapshot_xmax(s) as xmax, below,
    c.seq, c.transaction, c.what, c.id, c.created_at, c.until, c.kind, coalesce(e.text, k.text) as text,
    coalesce(e.seen_at, k.seen_at) as seen_at
  from pg_current_snapshot() s
  cross join changes_trimmed
  left join c on true
  left join lateral (
    select text, seen_at from events
    where c.what = 'a' and created_at = c.created_at and key = left(c.id, 32)::uuid
  ) e on true
  left join lateral (
    select text, seen_at from kept where c.what = 'a' and key = left(c.id, 32)::uuid
  ) k on true
  order by c.transaction, c.seq`;

const READ = statement(`
  select * from changes
  where transaction >= $1::text::xid8 and transaction < pg_snapshot_xmin(pg_current_snapshot())
  order by transaction, seq limit $2`);

const READ_ONE = statement('select * from changes where transaction = $1::text::xid8');

/** Reads what committed since `from`, at most about `rowsMax` changes, whole transactions only. */
export async function readChanges(
  pool: pg.Pool,
  from: LogPosition,
  { rowsMax }: { readonly rowsMax: number },
): Promise<ChangesRead> {
  return withSession(pool, async (client) => {
    const values = [String(from), rowsMax + 1];
    const { rows } = await client.query<Row>({ name: 'changes-read', text: READ, values });
    const head = rows[0];
    if (head === undefined) throw new Error('changes_trimmed has no row');
    const horizon = Number(head.xmin);
    const next = Number(head.xmax);
    const restored = from > next;
    if (restored || from < Number(head.below)) return { gap: true, restored };
    if (rows.length <= rowsMax) {
      const position = Math.max(from, horizon);
      return { gap: false, changes: changesOf(rows), position, next, complete: true };
    }
    // The last transaction may be cut in two: it is left for the next read, or, where it is the
    // only one, read whole.
    const last = rows.at(-1)?.transaction;
    const whole = rows.filter(({ transaction }) => transaction !== last);
    if (whole.length > 0) {
      const changes = changesOf(whole);
      return { gap: false, changes, position: Number(last), next, complete: false };
    }
    const all = await client.query<Row>({
      name: 'changes-read-one',
      text: READ_ONE,
      values: [last],
    });
    const position = Number(last) + 1;
    const complete = position >= horizon;
    return { gap: false, changes: changesOf(all.rows), position, next, complete };
  });
}

function changesOf(rows: readonly Row[]): Change[] {
  const changes: Change[] = [];
  for (const row of rows) {
    const { what, id, created_at, until, kind, text, seen_at } = row;
    if (row.seq === null) continue;
    const seq = Number(row.seq);
    const transaction = Number(row.transaction);
    if (what === 'd') {
      changes.push({
        type: 'dropped',
        seq,
        transaction,
        fromSeconds: Number(created_at),
        toSeconds: Number(until),
        ...(kind !== null && { kind }),
      });
    } else if (id !== null && what === 'r') {
      changes.push({ type: 'removed', id, seq, transaction });
    } else if (id !== null && text !== null) {
      changes.push({
        type: 'added',
        id,
        seq,
        transaction,
        createdAt: Number(created_at),
        text,
        ...(seen_at !== null && { seenAt: Number(seen_at) }),
      });
    }
  }
  return changes.sort((a, b) => a.seq - b.seq);
}

/** The position from which nothing that commits later is missed. */
export async function currentPosition(database: pg.Pool | pg.ClientBase): Promise<LogPosition> {
  const { rows } = await database.query<{ xmin: string }>(
    'select pg_snapshot_xmin(pg_current_snapshot()) as xmin',
  );
  return Number(rows[0]?.xmin);
}
