import { type ListedId, TooManyIds } from '../../functions/database/ids.ts';
import { addressOf, compareEvents, type NostrEvent } from '../../functions/nostr/event.ts';
import { type Filter, matchesFilter } from '../../functions/nostr/filter.ts';
import { kindClass } from '../../functions/nostr/kinds.ts';
import type {
  Engine,
  Subscriber,
  SubscriptionHandle,
  Verdict,
} from '../../functions/relay/engine-types.ts';

interface Stored {
  readonly event: NostrEvent;
  readonly text: string;
}

/** Ids of one page of a list. */
const LIST_PAGE = 1_000;

interface Open {
  readonly filters: readonly Filter[];
  readonly subscriber: Subscriber;
  live: boolean;
}

/**
 * An engine without storage and queue, to test the sockets in front of it: NIP-01's rules on
 * versions, order and limits, written for reading. Tests may hold its answers back.
 */
export class MemoryEngine implements Engine {
  ready = true;
  stopped = false;
  /** What every publish waits for; tests replace it to keep events under way. */
  beforePublish: Promise<void> = Promise.resolve();
  /** The same for stored answers. */
  beforeAnswer: Promise<void> = Promise.resolve();
  /** What every page of a list waits for. */
  beforePage: () => Promise<void> = () => Promise.resolve();
  /** Lists that are under way now. */
  lists = 0;
  /** Subscriptions that are open now. */
  readonly open = new Set<Open>();
  readonly published: NostrEvent[] = [];
  #stored: Stored[] = [];
  readonly #limits: { readonly limitDefault: number; readonly limitMax: number };

  constructor(limits = { limitDefault: 500, limitMax: 1_000 }) {
    this.#limits = limits;
  }

  async publish(event: NostrEvent, text: string): Promise<Verdict> {
    this.published.push(event);
    await this.beforePublish;
    if (this.#stored.some((other) => other.event.id === event.id)) {
      const message = 'duplicate: already have this event';
      return { accepted: true, message, outcome: 'duplicate' };
    }
    const address = addressOf(event);
    const isVersion = (other: Stored) =>
      address !== undefined && addressOf(other.event) === address;
    if (this.#stored.some((other) => isVersion(other) && compareEvents(other.event, event) < 0)) {
      const message = 'duplicate: have a newer version';
      return { accepted: true, message, outcome: 'superseded' };
    }
    this.#stored = this.#stored.filter((other) => !isVersion(other));
    if (kindClass(event.kind) !== 'ephemeral') this.#stored.push({ event, text });
    for (const { filters, subscriber, live } of this.open) {
      if (live && filters.some((filter) => matchesFilter(filter, event))) subscriber.event(text);
    }
    return { accepted: true, message: '', outcome: 'accepted' };
  }

  subscribe(filters: readonly Filter[], subscriber: Subscriber): SubscriptionHandle {
    const open: Open = { filters, subscriber, live: false };
    this.open.add(open);
    void this.beforeAnswer.then(() => {
      for (const { text } of this.#find(filters)) {
        if (!this.open.has(open)) return;
        subscriber.event(text);
      }
      if (!this.open.has(open)) return;
      open.live = true;
      subscriber.eose();
    });
    return { close: () => void this.open.delete(open) };
  }

  async *list(
    filter: Filter,
    { idsMax, signal }: { readonly idsMax: number; readonly signal: AbortSignal },
  ): AsyncGenerator<readonly ListedId[], void, undefined> {
    const found = this.#stored
      .map(({ event }) => event)
      .filter((event) => matchesFilter(filter, event))
      .sort(compareEvents)
      .slice(0, filter.limit)
      .map(({ created_at, id }) => ({ createdAt: created_at, id }));
    this.lists += 1;
    try {
      for (let from = 0; from < found.length || from === 0; from += LIST_PAGE) {
        await this.beforePage();
        signal.throwIfAborted();
        if (from + LIST_PAGE > idsMax && found.length > idsMax) throw new TooManyIds(idsMax);
        yield found.slice(from, from + LIST_PAGE);
      }
    } finally {
      this.lists -= 1;
    }
  }

  async stop(): Promise<void> {
    this.stopped = true;
  }

  /** Puts a text in as if it had been published, whatever it holds. */
  put(event: NostrEvent, text: string): void {
    this.#stored.push({ event, text });
  }

  #find(filters: readonly Filter[]): readonly Stored[] {
    const found = new Set<Stored>();
    const sorted = [...this.#stored].sort((a, b) => compareEvents(a.event, b.event));
    for (const filter of filters) {
      const limit = Math.min(filter.limit ?? this.#limits.limitDefault, this.#limits.limitMax);
      const matching = sorted.filter(({ event }) => matchesFilter(filter, event));
      for (const one of matching.slice(0, limit)) found.add(one);
    }
    return sorted.filter((one) => found.has(one));
  }
}
