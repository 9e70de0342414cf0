import { compareEvents } from '../nostr/event.ts';
import { type Filter, matchesNothing } from '../nostr/filter.ts';
import { compileFilter } from '../nostr/matcher.ts';
import { type Entry, entryBytes } from './entry.ts';
import { walkMerged } from './merge.ts';
import { insertOrdered, type OrderedList, removeOrdered } from './ordered-list.ts';

/** Most index places hold one entry, which needs no list of its own. */
type Place = Entry | OrderedList;

const isLetter = (name: string | undefined): name is string =>
  name !== undefined && name.length === 1 && /[a-zA-Z]/.test(name);

/**
 * Entries in memory, found by whatever NIP-01 filters name: id, author, kind, tag value, time,
 * address. Every answer is newest first, ties by lowest id.
 */
export class EventIndex {
  readonly #byId = new Map<string, Entry>();
  readonly #byTime: OrderedList = [];
  readonly #byAuthor = new Map<string, Place>();
  readonly #byKind = new Map<number, Place>();
  readonly #byTag = new Map<string, Map<string, Place>>();
  readonly #byAddress = new Map<string, Place>();
  #bytes = 0;

  get size(): number {
    return this.#byId.size;
  }

  /** About how many bytes the entries take. */
  get bytes(): number {
    return this.#bytes;
  }

  get(id: string): Entry | undefined {
    return this.#byId.get(id);
  }

  /** The oldest entry, the one to evict first. */
  get oldest(): Entry | undefined {
    return this.#byTime[0];
  }

  /** Adds an entry; false when its id is there already. */
  add(entry: Entry): boolean {
    if (this.#byId.has(entry.id)) return false;
    this.#byId.set(entry.id, entry);
    this.#bytes += entryBytes(entry);
    insertOrdered(this.#byTime, entry);
    put(this.#byAuthor, entry.pubkey, entry);
    put(this.#byKind, entry.kind, entry);
    if (entry.address !== undefined) put(this.#byAddress, entry.address, entry);
    this.#eachTag(entry, (values, value) => put(values, value, entry));
    return true;
  }

  /** Removes and returns the entry with this id. */
  remove(id: string): Entry | undefined {
    const entry = this.#byId.get(id);
    if (entry === undefined) return undefined;
    this.#byId.delete(id);
    this.#bytes -= entryBytes(entry);
    removeOrdered(this.#byTime, entry);
    take(this.#byAuthor, entry.pubkey, entry);
    take(this.#byKind, entry.kind, entry);
    if (entry.address !== undefined) take(this.#byAddress, entry.address, entry);
    this.#eachTag(entry, (values, value) => take(values, value, entry));
    return entry;
  }

  clear(): void {
    this.#byId.clear();
    this.#byTime.length = 0;
    this.#byAuthor.clear();
    this.#byKind.clear();
    this.#byTag.clear();
    this.#byAddress.clear();
    this.#bytes = 0;
  }

  /** The newest entries that match, at most `limit`. */
  query(filter: Filter, limit: number): Entry[] {
    const found: Entry[] = [];
    if (limit <= 0) return found;
    this.walk(filter, (entry) => found.push(entry) < limit);
    return found;
  }

  /** Gives the entries that match to `visit`, newest first, until it returns false. */
  walk(filter: Filter, visit: (entry: Entry) => boolean): void {
    if (matchesNothing(filter)) return;
    const matches = compileFilter(filter);
    if (filter.ids === undefined) {
      walkMerged(this.#narrowest(filter), filter, (entry) => !matches(entry) || visit(entry));
      return;
    }
    const named: Entry[] = [];
    for (const id of new Set(filter.ids)) {
      const entry = this.#byId.get(id);
      if (entry !== undefined && matches(entry)) named.push(entry);
    }
    for (const entry of named.sort(compareEvents)) if (!visit(entry)) return;
  }

  /** The entries with this tag value, oldest first. */
  tagged(letter: string, value: string): readonly Entry[] {
    return listOf(this.#byTag.get(letter)?.get(value));
  }

  /** The newest version at a replaceable or addressable address. */
  newestAt(address: string): Entry | undefined {
    return this.versionsAt(address).at(-1);
  }

  /** All versions at an address, oldest first. */
  versionsAt(address: string): readonly Entry[] {
    return listOf(this.#byAddress.get(address));
  }

  /** The lists of that condition of the filter which leaves the fewest entries to look at. */
  #narrowest(filter: Filter): OrderedList[] {
    let best: OrderedList[] = [this.#byTime];
    let fewest = this.#byTime.length;
    const consider = (lists: OrderedList[]) => {
      let count = 0;
      for (const list of lists) count += list.length;
      if (count < fewest) {
        best = lists;
        fewest = count;
      }
    };
    for (const [letter, values] of filter.tags ?? []) {
      consider(listsOf(this.#byTag.get(letter), values));
    }
    if (filter.authors !== undefined) consider(listsOf(this.#byAuthor, filter.authors));
    if (filter.kinds !== undefined) consider(listsOf(this.#byKind, filter.kinds));
    return best;
  }

  #eachTag(entry: Entry, visit: (values: Map<string, Place>, value: string) => void): void {
    for (const [name, value] of entry.tags) {
      if (!isLetter(name) || value === undefined) continue;
      let values = this.#byTag.get(name);
      if (values === undefined) {
        values = new Map();
        this.#byTag.set(name, values);
      }
      visit(values, value);
    }
  }
}

function put<K>(places: Map<K, Place>, key: K, entry: Entry): void {
  const place = places.get(key);
  if (place === undefined) places.set(key, entry);
  else if (Array.isArray(place)) insertOrdered(place, entry);
  else if (place !== entry) {
    const list: OrderedList = [place];
    insertOrdered(list, entry);
    places.set(key, list);
  }
}

function take<K>(places: Map<K, Place>, key: K, entry: Entry): void {
  const place = places.get(key);
  if (place === entry) places.delete(key);
  else if (Array.isArray(place)) {
    removeOrdered(place, entry);
    if (place.length === 0) places.delete(key);
  }
}

function listOf(place: Place | undefined): OrderedList {
  if (place === undefined) return [];
  return Array.isArray(place) ? place : [place];
}

function listsOf<K>(places: Map<K, Place> | undefined, keys: readonly K[]): OrderedList[] {
  const lists: OrderedList[] = [];
  for (const key of keys) {
    const place = places?.get(key);
    if (place !== undefined) lists.push(listOf(place));
  }
  return lists;
}
