import type { Filter } from '../nostr/filter.ts';
import type { Origin, Verdict } from './engine-types.ts';
import { type Entry, entryBytes } from './entry.ts';
import { EventIndex } from './event-index.ts';
import { Hiders, type HidingView } from './hiders.ts';

/** Where an accepted event stands on its way to the database. */
export interface PendingEvent {
  readonly entry: Entry;
  readonly origin: Origin;
  /** What the first copy's publish came to; later copies wait for it too. */
  readonly verdict: Promise<Verdict>;
  /** Unix milliseconds. */
  readonly acceptedAt: number;
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
  readonly #hiders = new Hiders();
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

  /** When the oldest of them was accepted, Unix milliseconds; undefined where there is none. */
  get oldestAcceptedAt(): number | undefined {
    // A map keeps the order in which its entries came.
    return this.#events.values().next().value?.acceptedAt;
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
      acceptedAt: nowMs,
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
    this.#hiders.add(pending.entry);
    return true;
  }

  markAnnounced(id: string): void {
    const pending = this.#events.get(id);
    if (pending !== undefined) pending.announced = true;
  }

  /** It is shown no longer, nor does it hide or delete; a late announcement is still recognised. */
  retire(id: string): void {
    this.#index.remove(id);
    this.#hiders.remove(id);
  }

  /** The database has decided, or the publish failed: from here on the database speaks for it. */
  settle(id: string): void {
    const pending = this.#events.get(id);
    if (pending === undefined) return;
    this.#events.delete(id);
    this.#bytes -= entryBytes(pending.entry);
    this.#index.remove(id);
    this.#hiders.remove(id);
  }

  /** Matching events that no other pending event supersedes or deletes, newest first. */
  query(filter: Filter, limit: number): Entry[] {
    const shown: Entry[] = [];
    if (this.#index.size === 0 || limit <= 0) return shown;
    this.#index.walk(filter, (entry) => {
      if (!this.hides(entry)) shown.push(entry);
      return shown.length < limit;
    });
    return shown;
  }

  /** True when a pending event supersedes or deletes this one. */
  hides(entry: Entry): boolean {
    return this.#hiders.hides({ id: entry.id, kind: entry.kind, entry: () => entry });
  }

  /** What pending events supersede or delete as of now, for a query that takes its time. */
  view(): HidingView {
    return this.#hiders.view();
  }

  /** Durable events with this tag value, oldest first. */
  tagged(letter: string, value: string): readonly Entry[] {
    return this.#index.tagged(letter, value);
  }
}
