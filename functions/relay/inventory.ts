import type { ListedId } from '../database/ids.ts';
import { type Filter, matchesNothing } from '../nostr/filter.ts';
import type { Pending } from './pending.ts';

/** Lists what the database holds; `listIds` behind a small door. */
export type ListStored = (
  filter: Filter,
  options: { readonly idsMax: number; readonly signal: AbortSignal },
) => AsyncIterable<readonly ListedId[]>;

/**
 * Lists everything that this instance would serve, by time and id: what it accepted and the
 * database has not confirmed, and what the database holds.
 */
export class Inventory {
  readonly #pending: Pending;
  readonly #listStored: ListStored;

  constructor(pending: Pending, listStored: ListStored) {
    this.#pending = pending;
    this.#listStored = listStored;
  }

  /**
   * Page by page, an event perhaps twice. What is in memory is asked first, so that an event cannot
   * slip from there to the database between the two. A version that a pending one supersedes may
   * still be listed: whoever then asks for it gets the newer one, and what store decides is known a
   * moment later. Of a filter with a limit more than that may come: the newest count.
   */
  async *list(
    filter: Filter,
    options: { readonly idsMax: number; readonly signal: AbortSignal },
  ): AsyncGenerator<readonly ListedId[], void, undefined> {
    if (matchesNothing(filter)) return;
    const pending = this.#pending.query(filter, filter.limit ?? Number.POSITIVE_INFINITY);
    if (pending.length > 0) {
      yield pending.map(({ id, created_at }) => ({ id, createdAt: created_at }));
    }
    yield* this.#listStored(filter, options);
  }
}
