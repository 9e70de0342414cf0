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
  /** Names of the partitions; their ranges together are the target's. */
  readonly sources: readonly string[];
  /** Their events do not come along. */
  readonly kinds: readonly number[];
}

/** A rewrite that is under way. */
export interface Running extends Rewrite {
  readonly position: number;
  readonly phase: 'copy' | 'follow' | TimeTable;
  /** The tables to write anew: without the tags where one that was given up had come so far. */
  readonly tables: readonly TimeTable[];
  readonly part: number;
  readonly page: number;
  /** No transaction from this one on was seen by the copy; undefined while it is made. */
  readonly copiedBefore: number | undefined;
}

/** SQL of a partition's bounds. */
export const boundsOf = ({ from, to }: Pick<Partition, 'from' | 'to'>): string =>
  `for values from (${Number.isFinite(from) ? from : 'minvalue'}) to (${to})`;

/** Name of the table that takes a partition's place. */
export const madeOf = (table: TimeTable, { target }: Rewrite): string =>
  `${table}_${target.name}_new`;

/** The tables that are copied. */
export const sourcesOf = (table: TimeTable, { sources }: Rewrite): string[] =>
  sources.map((name) => `${table}_${name}`);

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
