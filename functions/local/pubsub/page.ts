import { limits } from './limits.ts';
import type { PageRequest } from './wire.ts';

/** One page of a list; the token is empty on the last one. */
export interface Page<T> {
  readonly items: T[];
  readonly nextPageToken: string;
}

/** The page of these names that the request asks for, in their order; the token is a name. */
export function page(names: readonly string[], { pageSize = 0, pageToken = '' }: PageRequest) {
  const size = pageSize > 0 ? Math.min(pageSize, limits.pageSizeMax) : limits.pageSizeMax;
  const rest = names.filter((name) => name > pageToken).sort();
  const items = rest.slice(0, size);
  return { items, nextPageToken: rest.length > size ? (items.at(-1) ?? '') : '' } as Page<string>;
}
