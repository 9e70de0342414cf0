import type { Outcome } from '../cloud/envelope.ts';
import type { LogPosition } from '../database/changes.ts';
import type { StoredEvent } from '../database/read.ts';
import type { Lane } from './delivery-meter.ts';
import { type Entry, entryOfText } from './entry.ts';
import type { FollowerSink } from './follower.ts';
import type { Pending } from './pending.ts';
import { RecentIds } from './recent-ids.ts';
import type { RecentWindow } from './recent-window.ts';

export interface FeedParts {
  readonly window: RecentWindow;
  readonly pending: Pending;
  readonly nowMs: () => number;
  /** Hands an event to live subscribers. */
  readonly announce: (entry: Entry, lane: Lane, acceptedAtMs: number | undefined) => void;
  readonly whenPassed: (work: () => void) => void;
  /** Ends all live subscriptions with this word to their clients. */
  readonly endSubscriptions: (message: string) => void;
  /** A snapshot of the newest stored events. */
  readonly loadRecent: () => Promise<{
    readonly position: LogPosition;
    readonly events: readonly StoredEvent[];
    readonly completeSince: number;
  }>;
}

/** A redelivered ephemeral message is recognised for so long; Pub/Sub keeps it for 10 minutes. */
const EPHEMERAL_REMEMBERED_MS = 600_000;
const EPHEMERAL_REMEMBERED_MAX = 200_000;

/** What the follower tells, brought into the window, the pending events and the subscriptions. */
export class Feed implements FollowerSink {
  readonly #parts: FeedParts;
  readonly #ephemeral: RecentIds;

  constructor(parts: FeedParts) {
    this.#parts = parts;
    this.#ephemeral = new RecentIds({
      lifetimeMs: EPHEMERAL_REMEMBERED_MS,
      idsMax: EPHEMERAL_REMEMBERED_MAX,
      nowMs: parts.nowMs(),
    });
  }

  added(id: string, text: string, lane: Lane, acceptedAtMs: number | undefined): void {
    const { window, pending, announce } = this.#parts;
    // The window holds only what came by here before; what was accepted here may have as well.
    const wasHere = window.get(id) !== undefined;
    const accepted = pending.get(id);
    const entry = accepted?.entry ?? entryOfText(text);
    window.add(entry);
    if (!wasHere && accepted?.announced !== true) announce(entry, lane, acceptedAtMs);
  }

  held(id: string, text: string): void {
    const { window, pending } = this.#parts;
    if (window.get(id) !== undefined) return;
    window.add(pending.get(id)?.entry ?? entryOfText(text));
  }

  removed(id: string): void {
    this.#parts.window.remove(id);
  }

  dropped(fromSeconds: number, toSeconds: number, kind: number | undefined): void {
    this.#parts.window.removeRange(fromSeconds, toSeconds, kind);
  }

  decided(id: string, outcome: Outcome): void {
    const { pending, whenPassed } = this.#parts;
    if (pending.get(id) === undefined) return;
    if (outcome === 'stored') {
      pending.settle(id);
      return;
    }
    // Another copy's addition may still be on its way to this instance: until the log has passed
    // it, the record stays, so that subscribers do not get the event twice.
    if (outcome !== 'duplicate') pending.retire(id);
    whenPassed(() => pending.settle(id));
  }

  ephemeral(id: string, text: string, acceptedAtMs: number): void {
    if (!this.#ephemeral.add(id, this.#parts.nowMs())) return;
    this.#parts.announce(entryOfText(text), 'fast', acceptedAtMs);
  }

  /** An ephemeral event that this instance took itself. */
  announceEphemeral(entry: Entry, acceptedAtMs: number): void {
    if (!this.#ephemeral.add(entry.id, this.#parts.nowMs())) return;
    this.#parts.announce(entry, 'own', acceptedAtMs);
  }

  gap(): void {
    this.#parts.window.markGap();
  }

  caughtUp(): void {
    this.#parts.window.markCaughtUp();
  }

  async load(): Promise<LogPosition> {
    const { position, events, completeSince } = await this.#parts.loadRecent();
    this.#parts.window.load(
      events.map(({ text }) => entryOfText(text)),
      completeSince,
    );
    return position;
  }

  /** A client that asks again gets what is stored, so it misses nothing. */
  missed(): void {
    this.#parts.endSubscriptions(
      'error: live events may have been missed, please subscribe again to get them',
    );
  }
}
