import type pg from 'pg';
import { beforeOf, listMonths } from './months.ts';
import type { Partition, Rewrite } from './rewrite-plan.ts';

/**
 * Where events and tags are not cut into the same partitions: the rewrite that makes one partition
 * of each such range, in both. Nothing here leaves them so, but a month could then be dropped of
 * one table and not of the other. What only lacks the newest months is made even by `makeMonth`.
 */
export async function unevenRange(database: pg.Pool | pg.ClientBase): Promise<Rewrite | undefined> {
  const events = await listMonths(database, 'events');
  const tags = await listMonths(database, 'event_tags');
  return uneven(withBefore(events), withBefore(tags));
}

const withBefore = (months: readonly Partition[]): Partition[] => {
  const before = beforeOf(months);
  return before === undefined ? [] : [before, ...months];
};

/** The same of two lists of partitions that follow one another without a gap. */
export function uneven(
  events: readonly Partition[],
  tags: readonly Partition[],
): Rewrite | undefined {
  const ends = new Set(tags.map(({ to }) => to));
  let from = Number.NEGATIVE_INFINITY;
  for (const to of events.map((each) => each.to).filter((end) => ends.has(end))) {
    const within = (each: Partition): boolean => each.from >= from && each.to <= to;
    const parts = [...events.filter(within), ...tags.filter(within)];
    const names = [...new Set(parts.map(({ name }) => name))];
    if (parts.length > 2 || names.length > 1) {
      // One of them mostly is the whole range already, which a merge has left half done.
      const whole = parts.find((each) => each.from === from && each.to === to) ?? parts[0];
      const name = Number.isFinite(from) ? (whole?.name ?? '') : 'before';
      return { target: { name, from, to }, sources: names, kinds: [] };
    }
    from = to;
  }
  return undefined;
}
