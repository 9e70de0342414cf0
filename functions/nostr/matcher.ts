import type { NostrEvent } from './event.ts';
import type { Filter } from './filter.ts';

/** Above this many values a hash lookup beats walking the list. */
const LIST_WALKED_MAX = 8;

type Contains<T> = (value: T) => boolean;

function contains<T>(values: readonly T[]): Contains<T> {
  if (values.length === 1) {
    const [only] = values;
    return (value) => value === only;
  }
  if (values.length <= LIST_WALKED_MAX) return (value) => values.includes(value);
  const set = new Set(values);
  return (value) => set.has(value);
}

/** What a filter is matched against. */
export type Matchable = Pick<NostrEvent, 'id' | 'pubkey' | 'created_at' | 'kind' | 'tags'>;

/**
 * Prepares a filter that many events are matched against. Says the same as `matchesFilter`,
 * without walking long lists for each event.
 */
export function compileFilter(filter: Filter): (event: Matchable) => boolean {
  const since = filter.since ?? Number.NEGATIVE_INFINITY;
  const until = filter.until ?? Number.POSITIVE_INFINITY;
  const ids = filter.ids && contains(filter.ids);
  const authors = filter.authors && contains(filter.authors);
  const kinds = filter.kinds && contains(filter.kinds);
  const tags = [...(filter.tags ?? [])].map(
    ([letter, values]) => [letter, contains(values)] as const,
  );
  return (event) => {
    if (event.created_at < since || event.created_at > until) return false;
    if (kinds !== undefined && !kinds(event.kind)) return false;
    if (authors !== undefined && !authors(event.pubkey)) return false;
    if (ids !== undefined && !ids(event.id)) return false;
    for (const [letter, wanted] of tags) {
      if (!hasTag(event.tags, letter, wanted)) return false;
    }
    return true;
  };
}

function hasTag(tags: Matchable['tags'], letter: string, wanted: Contains<string>): boolean {
  for (const [name, value] of tags) {
    if (name === letter && value !== undefined && wanted(value)) return true;
  }
  return false;
}
