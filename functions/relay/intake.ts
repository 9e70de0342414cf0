import type { IncomingMeta, StoredMeta } from '../cloud/envelope.ts';
import type { Journey } from '../cloud/journey.ts';
import type { NostrEvent } from '../nostr/event.ts';
import { kindClass } from '../nostr/kinds.ts';
import type { Origin, Verdict } from './engine-types.ts';
import { type Entry, entryOf } from './entry.ts';
import { EVENT_OUTCOMES, type EventOutcome } from './event-outcomes.ts';
import type { Pending } from './pending.ts';
import type { RecentWindow } from './recent-window.ts';
import { isDeletedBy, isNewer } from './versions.ts';

/** Puts a line into a Pub/Sub topic; resolves with the id of its message, rejects without one. */
export interface Topic {
  publish(line: { readonly meta: object; readonly text: string }): Promise<string>;
}

/** What the intake stands on. */
export interface IntakeParts {
  readonly window: RecentWindow;
  readonly pending: Pending;
  readonly incoming: Topic;
  readonly stored: Topic;
  /** Hands an event to live subscribers of this instance. */
  readonly announce: (entry: Entry, acceptedAtMs: number) => void;
  /** Hands an ephemeral event to them, once. */
  readonly announceEphemeral: (entry: Entry, acceptedAtMs: number) => void;
  readonly journey: Journey;
  readonly nowMs: () => number;
}

const verdict = (outcome: EventOutcome, message: string): Verdict => ({
  accepted: EVENT_OUTCOMES[outcome].ok,
  message,
  outcome,
});
const ACCEPTED = verdict('accepted', '');
const DUPLICATE = verdict('duplicate', 'duplicate: already have this event');
const SUPERSEDED = verdict('superseded', 'duplicate: have a newer version');
const DELETED = verdict('deleted', 'blocked: this event was deleted by its author');
const FULL = verdict('unavailable', 'error: too many events wait to be stored, please try again');
const NOT_DURABLE = verdict(
  'unpublished',
  'error: the event could not be made durable in time, please try again',
);

/** Makes verified events durable, and says at once what memory already knows about them. */
export class Intake {
  readonly #parts: IntakeParts;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  /** Resolves with the OK that the client gets; never rejects. */
  async take(event: NostrEvent, text: string, origin: Origin): Promise<Verdict> {
    const entry = entryOf(event, text);
    if (kindClass(event.kind) === 'ephemeral') return this.#passOn(entry, origin);
    const { pending } = this.#parts;
    const first = pending.get(entry.id);
    if (first !== undefined) {
      const verdict = await first.verdict;
      return verdict.accepted ? DUPLICATE : verdict;
    }
    const known = this.#knownVerdict(entry);
    if (known !== undefined) return known;
    if (pending.full) return FULL;
    const acceptedAt = this.#parts.nowMs();
    const verdict = this.#makeDurable(entry, origin, acceptedAt);
    pending.begin(entry, origin, verdict, acceptedAt);
    return verdict;
  }

  /** Publishes events again whose outcome never came; store will say it once more. */
  askAgain(): void {
    for (const overdue of this.#parts.pending.overdue(this.#parts.nowMs())) {
      // A failure changes nothing: the event is durable, and its turn comes again.
      const { entry, origin, acceptedAt } = overdue;
      this.#publish(entry, origin, acceptedAt).catch(() => undefined);
    }
  }

  /** What the window and the pending events say; deeper knowledge is store's. */
  #knownVerdict(entry: Entry): Verdict | undefined {
    const { window, pending } = this.#parts;
    if (window.get(entry.id) !== undefined) return DUPLICATE;
    if (entry.address !== undefined) {
      const newest = window.newestAt(entry.address);
      if (newest !== undefined && isNewer(newest, entry)) return SUPERSEDED;
    }
    if (pending.hides(entry)) return this.#isDeletedByPending(entry) ? DELETED : SUPERSEDED;
    return isDeletedBy(entry, (letter, value) => window.tagged(letter, value))
      ? DELETED
      : undefined;
  }

  #isDeletedByPending(entry: Entry): boolean {
    return isDeletedBy(entry, (letter, value) => this.#parts.pending.tagged(letter, value));
  }

  async #makeDurable(entry: Entry, origin: Origin, acceptedAt: number): Promise<Verdict> {
    const { window, pending, announce } = this.#parts;
    try {
      await this.#publish(entry, origin, acceptedAt);
    } catch (error) {
      this.#parts.journey.failure('published', entry.id, { topic: 'incoming', error });
      pending.settle(entry.id);
      return NOT_DURABLE;
    }
    // Only where the window would know of a stored copy is the event surely new. Otherwise its
    // subscribers get it when store has said so.
    const isNew = window.covers(entry.created_at) && window.get(entry.id) === undefined;
    if (pending.markDurable(entry.id) && isNew) {
      pending.markAnnounced(entry.id);
      announce(entry, acceptedAt);
    }
    return ACCEPTED;
  }

  #publish(entry: Entry, origin: Origin, acceptedAt: number): Promise<unknown> {
    const meta: IncomingMeta = {
      acceptedAt,
      trace: origin.trace,
      source: origin.source,
      keys: origin.keys,
    };
    const published = this.#parts.incoming.publish({ meta, text: entry.text });
    return origin.followed ? this.#followed('incoming', entry.id, meta, published) : published;
  }

  async #followed(
    topic: string,
    id: string,
    { acceptedAt }: { readonly acceptedAt: number },
    published: Promise<string>,
  ): Promise<void> {
    const messageId = await published;
    this.#parts.journey.step('published', id, { topic, messageId, acceptedAt });
  }

  /** Ephemeral events go to every instance and into no table. */
  async #passOn(entry: Entry, origin: Origin): Promise<Verdict> {
    const meta: StoredMeta = {
      id: entry.id,
      outcome: 'ephemeral',
      acceptedAt: this.#parts.nowMs(),
      trace: origin.trace,
    };
    try {
      const published = this.#parts.stored.publish({ meta, text: entry.text });
      await (origin.followed ? this.#followed('stored', entry.id, meta, published) : published);
    } catch (error) {
      this.#parts.journey.failure('published', entry.id, { topic: 'stored', error });
      return NOT_DURABLE;
    }
    this.#parts.announceEphemeral(entry, meta.acceptedAt);
    return ACCEPTED;
  }
}
