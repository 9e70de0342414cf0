import type { Filter } from '../nostr/filter.ts';
import { isDeletable, KIND_DELETION } from '../nostr/kinds.ts';
import { type Entry, entryBytes } from './entry.ts';
import { EventIndex } from './event-index.ts';
import type { Origin, Verdict } from './engine-types.ts';

/** Where an accepted event stands on its way to the database. */
export interface PendingEvent {
  readonly entry: Entry;
  readonly origin: Origin;
  /** What the first copy's publish came to; later copies wait for it too. */
  readonly verdict: Promise<Verdict>;
  /** Pub/Sub has acknowledged it: from here on it counts. */
  durable: boolean;
  /** Its subscribers on this instance have it. */
  announced: boolean;
  /** When its outcome is asked for again, Unix milliseconds; each time the wait doubles. */
  askAgainAt: number;
  askAgainAfterMs: number;
}

/**
 * An outcome can be lost with a broken fast lane. After this long without one the event is
 * published again: store says the same of it once more.
 */
const ASK_AGAIN_AFTER_MS = 10_000;

/**
 * Events between acceptance and the news that the database holds them: in no table yet, but the
 * client that got `OK true` must find them. Only durable ones are shown, hide older versions or
 * delete. Bounded in bytes.
 */
export class Pending {
  readonly #events = new Map<string, PendingEvent>();
  /** Durable ones only. */
  readonly #index = new EventIndex();
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#events.size;
  }

  get full(): boolean {
    return this.#bytes >= this.#bytesMax;
  }

  get(id: string): PendingEvent | undefined {
    return this.#events.get(id);
  }

  /** True for a durable event that still counts. */
  shows(id: string): boolean {
    return this.#index.get(id) !== undefined;
  }

  /** Notes an event whose publish is under way. */
  begin(entry: Entry, origin: Origin, verdict: Promise<Verdict>, nowMs: number): void {
    this.#events.set(entry.id, {
      entry,
      origin,
      verdict,
      durable: false,
      announced: false,
      askAgainAt: nowMs + ASK_AGAIN_AFTER_MS,
      askAgainAfterMs: ASK_AGAIN_AFTER_MS,
    });
    this.#bytes += entryBytes(entry);
  }

  /** Durable events whose outcome is overdue; each comes again after twice the wait. */
  overdue(nowMs: number): PendingEvent[] {
    const overdue: PendingEvent[] = [];
    for (const pending of this.#events.values()) {
      if (!pending.durable || pending.askAgainAt > nowMs) continue;
      pending.askAgainAfterMs *= 2;
      pending.askAgainAt = nowMs + pending.askAgainAfterMs;
      overdue.push(pending);
    }
    return overdue;
  }

  /** Pub/Sub has it; false when it was settled in the meantime, since store was quicker. */
  markDurable(id: string): boolean {
    const pending = this.#events.get(id);
    if (pending === undefined) return false;
    pending.durable = true;
    this.#index.add(pending.entry);
    return true;
  }

  markAnnounced(id: string): void {
    const pending = this.#events.get(id);
    if (pending !== undefined) pending.announced = true;
  }

  /** It is shown no longer, nor does it hide or delete; a late announcement is still recognised. */
  retire(id: string): void {
    this.#index.remove(id);
  }

  /** The database has decided, or the publish failed: from here on the database speaks for it. */
  settle(id: string): void {
    const pending = this.#events.get(id);
    if (pending === undefined) return;
    this.#events.delete(id);
    this.#bytes -= entryBytes(pending.entry);
    this.#index.remove(id);
  }

  /** Matching events that no other pending event supersedes or deletes, newest first. */
  query(filter: Filter, limit: number): Entry[] {
    if (this.#index.size === 0) return [];
    const shown: Entry[] = [];
    for (const entry of this.#index.query(filter, Number.POSITIVE_INFINITY)) {
      if (!this.hides(entry)) shown.push(entry);
      if (shown.length >= limit) break;
    }
    return shown;
  }

  /** True when a pending event supersedes or deletes this one. */
  hides(event: HidableEvent): boolean {
    if (this.#index.size === 0) return false;
    if (event.address !== undefined) {
      const newest = this.#index.newestAt(event.address);
      if (newest !== undefined && newest.id !== event.id && isNewer(newest, event)) return true;
    }
    return isDeletedBy(event, (letter, value) => this.#index.tagged(letter, value));
  }

  /** Durable events with this tag value, oldest first. */
  tagged(letter: string, value: string): readonly Entry[] {
    return this.#index.tagged(letter, value);
  }

  /**
   * What pending events take away from the stored answer to this filter, as of now: undefined
   * where nothing. A query that takes its time must judge by what was pending when it began.
   */
  hiding(filter: Filter): Hiding | undefined {
    let count = 0;
    const newest = new Map<string, Entry>();
    const deletions = new EventIndex();
    for (const entry of this.#index.all) {
      if (filter.authors !== undefined && !filter.authors.includes(entry.pubkey)) continue;
      if (entry.address !== undefined) {
        if (filter.kinds !== undefined && !filter.kinds.includes(entry.kind)) continue;
        if (!newest.has(entry.address)) count += 1;
        // The list goes from old to new.
        newest.set(entry.address, entry);
      } else if (entry.kind === KIND_DELETION) {
        const targets = targetsOf(entry);
        if (targets > 0) deletions.add(entry);
        count += targets;
      }
    }
    if (count === 0) return undefined;
    const hides = (event: HidableEvent): boolean => {
      const version = event.address === undefined ? undefined : newest.get(event.address);
      if (version !== undefined && isNewer(version, event)) return true;
      return isDeletedBy(event, (letter, value) => deletions.tagged(letter, value));
    };
    return { countMax: count, hides };
  }
}

type HidableEvent = Pick<Entry, 'id' | 'pubkey' | 'created_at' | 'kind' | 'address'>;

/** What pending events supersede or delete. */
export interface Hiding {
  /** At most so many stored events: so many more to ask for. */
  readonly countMax: number;
  hides(event: HidableEvent): boolean;
}

function targetsOf(deletion: Entry): number {
  let count = 0;
  for (const [name, value] of deletion.tags) {
    if (value !== undefined && (name === 'e' || name === 'a')) count += 1;
  }
  return count;
}

/** Of two versions of one event: true when the first is the one to keep (NIP-01). */
export function isNewer(
  a: Pick<Entry, 'created_at' | 'id'>,
  b: Pick<Entry, 'created_at' | 'id'>,
): boolean {
  return a.created_at > b.created_at || (a.created_at === b.created_at && a.id < b.id);
}

/**
 * True when a known deletion request of the author names this event by id, or its address at or
 * after its time (NIP-09). `tagged` gives known events by tag value.
 */
export function isDeletedBy(
  event: HidableEvent,
  tagged: (letter: string, value: string) => readonly Entry[],
): boolean {
  if (!isDeletable(event.kind)) return false;
  const byId = tagged('e', event.id).some((by) => isDeletionOf(by, event));
  if (byId || event.address === undefined) return byId;
  return tagged('a', event.address).some(
    (by) => isDeletionOf(by, event) && by.created_at >= event.created_at,
  );
}

function isDeletionOf(by: Entry, event: HidableEvent): boolean {
  return by.kind === KIND_DELETION && by.pubkey === event.pubkey;
}
