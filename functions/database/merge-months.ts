import type pg from 'pg';
import { listMonths, type Month } from './months.ts';
import { rewrite } from './rewrite.ts';

/** More months than this are merged by years: planning a query costs time for each. */
const MONTHS_MAX = 24;

/**
 * Merges the months of the oldest year that has several, where there are more than `MONTHS_MAX` in
 * all: one year at a time, and never the current one.
 * @returns how many partitions became one; 0 where nothing was to be done, or more than could be
 * done before the signal: call again.
 */
export async function mergeOldest(
  pool: pg.Pool,
  nowSeconds: number,
  signal?: AbortSignal,
): Promise<number> {
  const months = await listMonths(pool);
  if (months.length <= MONTHS_MAX) return 0;
  const current = new Date(nowSeconds * 1_000).getUTCFullYear();
  for (const year of new Set(months.map(yearOf))) {
    const ofYear = months.filter((month) => yearOf(month) === year);
    if (year < current && ofYear.length > 1) {
      return (await merge(pool, `y${year}`, ofYear, signal)) ? ofYear.length : 0;
    }
  }
  return 0;
}

const yearOf = ({ from }: Month): number => new Date(from * 1_000).getUTCFullYear();

/**
 * Makes one partition of some that follow one another without a gap. Nothing leaves by that.
 * @returns false where it has to be called again.
 */
export async function merge(
  pool: pg.Pool,
  name: string,
  months: readonly Month[],
  signal?: AbortSignal,
): Promise<boolean> {
  const [first, last] = [months[0], months.at(-1)];
  if (first === undefined || last === undefined) return true;
  const target = { name, from: first.from, to: last.to };
  const sources = months.map((month) => month.name);
  return rewrite(pool, { target, sources, kinds: [] }, signal);
}
