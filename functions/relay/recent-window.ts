import type { Address } from '../nostr/event.ts';
import type { Filter } from '../nostr/filter.ts';
import { agesOut, kindClass } from '../nostr/kinds.ts';
import type { Entry } from './entry.ts';
import { EventIndex } from './event-index.ts';

/** How much the window may hold; with no room for events it is off. */
export interface WindowLimits {
  readonly eventsMax: number;
  readonly bytesMax: number;
}

/**
 * The newest stored events in memory, and what may be said from them alone. It never decides
 * what is stored: it follows what the database committed. Every stored event with `created_at` ≥
 * `completeSince` is here while `complete` holds.
 */
export class RecentWindow {
  readonly #index = new EventIndex();
  readonly #limits: WindowLimits;
  #completeSince = Number.POSITIVE_INFINITY;
  #complete = false;

  constructor(limits: WindowLimits) {
    this.#limits = limits;
  }

  /** False from a gap in what it follows until it has caught up: then only the database answers. */
  get complete(): boolean {
    return this.#complete && this.#limits.eventsMax > 0;
  }

  get completeSince(): number {
    return this.#completeSince;
  }

  get size(): number {
    return this.#index.size;
  }

  get bytes(): number {
    return this.#index.bytes;
  }

  /** Something may have been missed. */
  markGap(): void {
    this.#complete = false;
  }

  /** Everything that was committed up to now has been applied. */
  markCaughtUp(): void {
    this.#complete = true;
  }

  /** Starts over from a snapshot of the database. */
  load(entries: readonly Entry[], completeSince: number): void {
    this.#index.clear();
    this.#completeSince = completeSince;
    for (const entry of entries) this.add(entry);
  }

  get(id: string): Entry | undefined {
    return this.#index.get(id);
  }

  /** True where absence from the window means absence from the database (but for the lag). */
  covers(createdAt: number): boolean {
    return this.complete && createdAt >= this.#completeSince;
  }

  /** Takes a stored event in, and lets go of the oldest ones when there is no room. */
  add(entry: Entry): void {
    if (entry.created_at < this.#completeSince) return;
    this.#index.add(entry);
    const { eventsMax, bytesMax } = this.#limits;
    while (this.#index.size > eventsMax || this.#index.bytes > bytesMax) {
      const { oldest } = this.#index;
      if (oldest === undefined) return;
      this.#index.remove(oldest.id);
      // Others of that second may be gone as well, so the whole second counts as incomplete.
      this.#completeSince = Math.max(this.#completeSince, oldest.created_at + 1);
      this.#dropBefore(this.#completeSince);
    }
  }

  remove(id: string): void {
    this.#index.remove(id);
  }

  /** Retention took every event from second to second, of one kind or of all. */
  removeRange(fromSeconds: number, toSeconds: number, kind: number | undefined): void {
    const gone = this.#index.query(
      { since: fromSeconds, until: toSeconds, ...(kind !== undefined && { kinds: [kind] }) },
      Number.POSITIVE_INFINITY,
    );
    for (const entry of gone) if (agesOut(entry.kind)) this.#index.remove(entry.id);
  }

  /** The newest version at an address, if it is among the recent ones. */
  newestAt(address: string): Entry | undefined {
    return this.#index.newestAt(address);
  }

  tagged(letter: string, value: string): readonly Entry[] {
    return this.#index.tagged(letter, value);
  }

  /**
   * The stored answer to a filter, or undefined where the window cannot be sure of it. It is sure
   * when (a) the limit is filled, since nothing newer can be missing, (b) the filter asks for
   * nothing older than the window reaches, or (c) each thing it names is here: an id, or the
   * one version of a replaceable or addressable event. Absence proves nothing.
   */
  answer(filter: Filter, limit: number): Entry[] | undefined {
    if (!this.complete) return undefined;
    const reaches = filter.since !== undefined && filter.since >= this.#completeSince;
    if (!reaches && !this.#mayAnswer(filter)) return undefined;
    const found = this.#index.query(filter, limit);
    if (reaches || found.length >= limit || this.#completeSince <= 0) return found;
    return this.#namesOnlyWhatIsHere(filter) ? found : undefined;
  }

  /** Cheap look ahead: a filter that ends before the window begins cannot be answered here. */
  #mayAnswer(filter: Filter): boolean {
    return filter.until === undefined || filter.until >= this.#completeSince;
  }

  #namesOnlyWhatIsHere(filter: Filter): boolean {
    if (filter.ids !== undefined) return filter.ids.every((id) => this.#index.get(id));
    const addresses = addressesNamed(filter);
    return addresses?.every((address) => this.#index.newestAt(address)) ?? false;
  }

  #dropBefore(second: number): void {
    for (;;) {
      const { oldest } = this.#index;
      if (oldest === undefined || oldest.created_at >= second) return;
      this.#index.remove(oldest.id);
    }
  }
}

/** Probing more addresses than this costs more than asking the database. */
const ADDRESSES_PROBED_MAX = 2_000;

/**
 * The addresses that a filter's answer is limited to: authors × replaceable kinds, or authors ×
 * addressable kinds × `#d` values. Undefined where it is not limited so.
 */
function addressesNamed(filter: Filter): string[] | undefined {
  const { authors, kinds } = filter;
  if (authors === undefined || kinds === undefined) return undefined;
  const wanted = filter.tags?.get('d');
  const perAuthor: Omit<Address, 'pubkey'>[] = [];
  for (const kind of kinds) {
    const of = kindClass(kind);
    if (of === 'replaceable') perAuthor.push({ kind, d: '' });
    else if (of === 'addressable' && wanted) perAuthor.push(...wanted.map((d) => ({ kind, d })));
    else return undefined;
  }
  if (authors.length * perAuthor.length > ADDRESSES_PROBED_MAX) return undefined;
  return authors.flatMap((author) => perAuthor.map(({ kind, d }) => `${kind}:${author}:${d}`));
}
