import type pg from 'pg';
import type { TimeTable } from './alone.ts';
import type { Partition } from './rewrite-plan.ts';

/**
 * A partition of regular events: the table of the events and the one of their tags. A month, as
 * `y2026m11`, or a year of months that were merged, as `y2026`.
 */
export type Month = Partition;

/** The month that begins `offset` months after the one that holds this second (UTC). */
export function monthAt(seconds: number, offset = 0): Month {
  const date = new Date(seconds * 1_000);
  const begin = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + offset);
  const end = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + offset + 1);
  const first = new Date(begin);
  const month = String(first.getUTCMonth() + 1).padStart(2, '0');
  return { name: `y${first.getUTCFullYear()}m${month}`, from: begin / 1_000, to: end / 1_000 };
}

/** The months that have partitions, oldest first; the catch-alls at both ends are not among them. */
export async function listMonths(
  database: pg.Pool | pg.ClientBase,
  table: TimeTable = 'events',
): Promise<Month[]> {
  const { rows } = await database.query<{ name: string; bound: string }>(
    `select c.relname as name, pg_get_expr(c.relpartbound, c.oid) as bound
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = $1::regclass`,
    [table],
  );
  const months: Month[] = [];
  for (const { name, bound } of rows) {
    const range = /FROM \('(-?\d+)'\) TO \('(-?\d+)'\)/.exec(bound);
    if (range === null) continue;
    months.push({
      name: name.slice(table.length + 1),
      from: Number(range[1]),
      to: Number(range[2]),
    });
  }
  return months.sort((a, b) => a.from - b.from);
}

/**
 * The catch-all for times before the first month, as a partition; undefined while there is no
 * month, since it then ends in a time that says nothing.
 */
export const beforeOf = (months: readonly Month[]): Partition | undefined =>
  months[0] && { name: 'before', from: Number.NEGATIVE_INFINITY, to: months[0].from };
