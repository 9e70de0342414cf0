import type { ListedId } from '../database/ids.ts';
import type { NostrEvent } from '../nostr/event.ts';
import type { Filter } from '../nostr/filter.ts';
import type { EventOutcome } from './event-outcomes.ts';

/** Who asks, as log lines name a client. */
export interface Asker {
  readonly connectionId: string;
  readonly address: string;
}

/** The receiving end of one subscription; the connection implements it. */
export interface Subscriber {
  /** Absent where no socket is behind it. */
  readonly asker?: Asker;
  /** A stored or live event, as text ready to be spliced into a frame. */
  event(text: string): void;
  /** Stored events are through; what follows is live. */
  eose(): void;
  /** The engine ended the subscription, `message` has a NIP-01 prefix; the handle is dead. */
  closed(message: string): void;
}

/** A running subscription. */
export interface SubscriptionHandle {
  /** Ends it without a word to the subscriber; a running query is cancelled. */
  close(): void;
}

/** The two last fields of an OK message (NIP-01), and what it counts as. */
export interface Verdict {
  readonly accepted: boolean;
  readonly message: string;
  readonly outcome: EventOutcome;
}

/** Where an event came from. */
export interface Origin {
  readonly trace: string;
  readonly source: string;
  /** Present where every step of the event is logged. */
  readonly followed?: true;
  /** Public keys that the socket has authenticated (NIP-42). */
  readonly keys: readonly string[];
}

/** What the sockets see of storage, queue and live delivery. */
export interface Engine {
  /**
   * Makes a verified event durable. Resolves when Pub/Sub has acknowledged it, or with the reason
   * why it is not taken; never rejects.
   */
  publish(event: NostrEvent, text: string, origin: Origin): Promise<Verdict>;
  /**
   * Answers the filters from what is stored, then follows live. The subscriber is never called
   * before `subscribe` has returned. Limits of the filters are clamped here.
   */
  subscribe(filters: readonly Filter[], subscriber: Subscriber): SubscriptionHandle;
  /**
   * Times and ids of everything that matches, page by page, an event perhaps twice; of a filter with
   * a limit the newest count. Throws `TooManyIds` where more than `idsMax` match, and what the
   * database throws.
   */
  list(
    filter: Filter,
    options: { readonly idsMax: number; readonly signal: AbortSignal },
  ): AsyncIterable<readonly ListedId[]>;
  /** False until the window is loaded and the fast lane open. */
  readonly ready: boolean;
  /** Ends subscriptions of Pub/Sub and the database; what was published is waited for. */
  stop(): Promise<void>;
}
