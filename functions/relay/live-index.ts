import { type Filter, matchesNothing } from '../nostr/filter.ts';
import { compileFilter } from '../nostr/matcher.ts';
import type { Entry } from './entry.ts';

interface LiveFilter<S> {
  readonly subscription: S;
  readonly matches: (entry: Entry) => boolean;
}

type Places<K, S> = Map<K, Set<LiveFilter<S>>>;

/**
 * Live subscriptions, found by what an event is: each filter stands under the values of its most
 * selective condition (ids, then tags, then authors, then kinds), so that an event meets only
 * filters that share a value with it, however many subscriptions are open.
 */
export class LiveIndex<S> {
  readonly #byId: Places<string, S> = new Map();
  readonly #byAuthor: Places<string, S> = new Map();
  readonly #byKind: Places<number, S> = new Map();
  readonly #byTag = new Map<string, Places<string, S>>();
  readonly #unconditional = new Set<LiveFilter<S>>();
  readonly #removals = new Map<S, (() => void)[]>();

  /** How many subscriptions are open. */
  get size(): number {
    return this.#removals.size;
  }

  /** Follows new events for a subscription until `remove`. */
  add(subscription: S, filters: readonly Filter[]): void {
    const removals: (() => void)[] = [];
    for (const filter of filters) {
      if (matchesNothing(filter)) continue;
      removals.push(this.#place(filter, { subscription, matches: compileFilter(filter) }));
    }
    this.#removals.set(subscription, removals);
  }

  remove(subscription: S): void {
    for (const removal of this.#removals.get(subscription) ?? []) removal();
    this.#removals.delete(subscription);
  }

  /** The open subscriptions, as of now. */
  all(): readonly S[] {
    return [...this.#removals.keys()];
  }

  /** Calls `deliver` once for each subscription that has a matching filter. */
  match(entry: Entry, deliver: (subscription: S) => void): void {
    const met = new Set<S>();
    const meet = (filters: Set<LiveFilter<S>> | undefined) => {
      if (filters === undefined) return;
      for (const { subscription, matches } of filters) {
        if (!met.has(subscription) && matches(entry)) {
          met.add(subscription);
          deliver(subscription);
        }
      }
    };
    meet(this.#unconditional);
    meet(this.#byId.get(entry.id));
    meet(this.#byAuthor.get(entry.pubkey));
    meet(this.#byKind.get(entry.kind));
    if (this.#byTag.size === 0) return;
    for (const [name, value] of entry.tags) {
      if (name !== undefined && value !== undefined) meet(this.#byTag.get(name)?.get(value));
    }
  }

  #place(filter: Filter, live: LiveFilter<S>): () => void {
    if (filter.ids !== undefined) return place(this.#byId, filter.ids, live);
    const tag = fewestValues(filter.tags);
    if (tag !== undefined) {
      const [letter, values] = tag;
      const places = this.#byTag.get(letter) ?? new Map();
      this.#byTag.set(letter, places);
      const removal = place<string, S>(places, values, live);
      return () => {
        removal();
        if (places.size === 0) this.#byTag.delete(letter);
      };
    }
    if (filter.authors !== undefined) return place(this.#byAuthor, filter.authors, live);
    if (filter.kinds !== undefined) return place(this.#byKind, filter.kinds, live);
    this.#unconditional.add(live);
    return () => this.#unconditional.delete(live);
  }
}

function fewestValues(tags: Filter['tags']): readonly [string, readonly string[]] | undefined {
  let fewest: readonly [string, readonly string[]] | undefined;
  for (const tag of tags ?? []) {
    if (fewest === undefined || tag[1].length < fewest[1].length) fewest = tag;
  }
  return fewest;
}

function place<K, S>(places: Places<K, S>, keys: readonly K[], live: LiveFilter<S>): () => void {
  for (const key of keys) {
    const filters = places.get(key);
    if (filters === undefined) places.set(key, new Set([live]));
    else filters.add(live);
  }
  return () => {
    for (const key of keys) {
      const filters = places.get(key);
      filters?.delete(live);
      if (filters?.size === 0) places.delete(key);
    }
  };
}
