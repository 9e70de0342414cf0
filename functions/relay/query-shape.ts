import type { Filter } from '../nostr/filter.ts';
import { isVersioned } from '../nostr/kinds.ts';

/** What a filter is found by, as people on call tell queries apart. */
export type QueryShape = 'ids' | 'authors' | 'address' | 'tags' | 'kinds' | 'time';

/**
 * Names the shape of a filter by the narrowest thing that it says: ids, then the addresses of
 * replaceable or addressable events, then tags, authors, kinds, and else only time.
 */
export function queryShape({ ids, authors, kinds, tags }: Filter): QueryShape {
  if (ids !== undefined) return 'ids';
  const letters = [...(tags?.keys() ?? [])];
  const onlyVersioned = kinds?.every(isVersioned) ?? false;
  if (authors !== undefined && onlyVersioned && letters.every((letter) => letter === 'd')) {
    return 'address';
  }
  if (letters.length > 0) return 'tags';
  if (authors !== undefined) return 'authors';
  return kinds === undefined ? 'time' : 'kinds';
}
