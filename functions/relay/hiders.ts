import { isVersioned } from '../nostr/kinds.ts';
import type { Entry } from './entry.ts';
import { EventIndex } from './event-index.ts';
import { isDeletedBy, isDeletionRequest, isNewer } from './versions.ts';

/** An event that may be hidden; it is parsed only where something might hide it. */
export interface Hidable {
  readonly id: string;
  readonly kind: number;
  entry(): Entry;
}

/** What was pending at a moment, for a question that takes its time. To be closed in the end. */
export interface HidingView {
  hides(event: Hidable): boolean;
  close(): void;
}

interface Span {
  /** When it began to count, in steps of this store's own count. */
  readonly from: number;
  /** When it ceased to count. */
  to: number;
}

/**
 * Pending events that supersede or delete others. A stored answer must be judged by what was
 * pending when its query began: a newer version that settles meanwhile is not in the answer, and
 * the older one in it must stay hidden. So what leaves is kept as long as a view is open that
 * began before.
 */
export class Hiders {
  readonly #index = new EventIndex();
  readonly #spans = new Map<string, Span>();
  /** What has left and waits for older views to close, in the order of leaving. */
  #left: { readonly id: string; readonly at: number }[] = [];
  /** The moments of open views, oldest first. */
  readonly #views = new Set<{ readonly at: number }>();
  #count = 0;

  /** How many are held, with those that only open views still need. */
  get size(): number {
    return this.#spans.size;
  }

  /** Takes a durable event in, if it can hide anything. */
  add(entry: Entry): void {
    if (entry.address === undefined && !isDeletionRequest(entry)) return;
    this.#count += 1;
    const from = this.#spans.get(entry.id)?.from ?? this.#count;
    this.#spans.set(entry.id, { from, to: Number.POSITIVE_INFINITY });
    this.#index.add(entry);
  }

  remove(id: string): void {
    const span = this.#spans.get(id);
    if (span === undefined || span.to !== Number.POSITIVE_INFINITY) return;
    this.#count += 1;
    span.to = this.#count;
    this.#left.push({ id, at: span.to });
    this.#forget();
  }

  /** True when an event that counts now hides this one. */
  hides(event: Hidable): boolean {
    return this.#spans.size > 0 && this.#hidesAt(event, this.#count);
  }

  /** What counts now, to be asked later. */
  view(): HidingView {
    const view = { at: this.#count };
    this.#views.add(view);
    return {
      hides: (event) => this.#spans.size > 0 && this.#hidesAt(event, view.at),
      close: () => {
        if (this.#views.delete(view)) this.#forget();
      },
    };
  }

  #hidesAt(event: Hidable, at: number): boolean {
    const counts = ({ id }: Entry): boolean => {
      const span = this.#spans.get(id);
      return span !== undefined && span.from <= at && at < span.to;
    };
    const tagged = (letter: string, value: string) =>
      this.#index.tagged(letter, value).filter(counts);
    const { id, kind } = event;
    if (!isVersioned(kind)) {
      return this.#index.tagged('e', id).length > 0 && isDeletedBy(event.entry(), tagged);
    }
    const entry = event.entry();
    if (entry.address !== undefined) {
      const versions = this.#index.versionsAt(entry.address);
      if (versions.some((version) => counts(version) && isNewer(version, entry))) return true;
    }
    return isDeletedBy(entry, tagged);
  }

  /** Lets go of what has left before the oldest open view began. */
  #forget(): void {
    const [oldest] = this.#views;
    const before = oldest?.at ?? Number.POSITIVE_INFINITY;
    let done = 0;
    for (const { id, at } of this.#left) {
      if (at > before) break;
      done += 1;
      // It may have come back since.
      if (this.#spans.get(id)?.to !== at) continue;
      this.#spans.delete(id);
      this.#index.remove(id);
    }
    if (done > 0) this.#left = this.#left.slice(done);
  }
}
