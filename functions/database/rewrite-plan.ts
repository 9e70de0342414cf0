import type pg from 'pg';
import type { TimeTable } from './alone.ts';

/** A partition of both tables: its range of `created_at`, and the ending of its tables' names. */
export interface Partition {
  readonly name: string;
  /** First second; minus infinity for the catch-all of earlier times. */
  readonly from: number;
  /** The second after its last one. */
  readonly to: number;
}

/** One partition that takes the place of some that follow one another without a gap. */
export interface Rewrite {
  readonly target: Partition;
  /** Names of the partitions; those that a table has are together the target's range in it. */
  readonly sources: readonly string[];
  /** Their events do not come along. */
  readonly kinds: readonly number[];
}

/** A rewrite that is under way. */
export interface Running extends Rewrite {
  /** The tables that are copied. */
  readonly parts: Readonly<Record<TimeTable, readonly string[]>>;
  readonly position: number;
  readonly phase: 'copy' | 'follow' | TimeTable;
  readonly part: number;
  readonly page: number;
}

/** SQL of a partition's bounds. */
export const boundsOf = ({ from, to }: Pick<Partition, 'from' | 'to'>): string =>
  `for values from (${Number.isFinite(from) ? from : 'minvalue'}) to (${to})`;

/** Name of the table that takes a partition's place. */
export const madeOf = (
  table: TimeTable,
  { target }: { readonly target: Pick<Partition, 'name'> },
): string => `${table}_${target.name}_new`;

/** Tells the windows that every event of a range is gone, of some kinds or of all. */
export async function noteDropped(
  client: pg.ClientBase,
  { from, to }: Pick<Partition, 'from' | 'to'>,
  kinds?: readonly number[],
): Promise<void> {
  await client.query(
    `insert into changes (what, created_at, until, kind)
      select 'd', $1, $2, kind from unnest($3::int[]) as gone(kind)`,
    [Math.max(0, from), to - 1, kinds ?? [null]],
  );
}
