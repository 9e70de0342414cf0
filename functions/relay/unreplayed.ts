import type { Outcome } from '../cloud/envelope.ts';
import type { LogPosition } from '../database/changes.ts';
import type { StoredEvent } from '../database/read.ts';
import type { Filter } from '../nostr/filter.ts';
import { agesOut } from '../nostr/kinds.ts';
import type { Lane } from './delivery-meter.ts';
import { Doubts } from './doubts.ts';
import { type Entry, entryBytes, entryOfText } from './entry.ts';
import { EventIndex } from './event-index.ts';
import type { FollowerSink } from './follower.ts';

/** How much of what happened is kept in memory for replicas that lag. */
export interface LagLimits {
  readonly lagMs: number;
  readonly bytesMax: number;
}

export interface UnreplayedParts {
  /** Who follows the changes besides; each call is passed on to it. */
  readonly sink: FollowerSink;
  /** An event that this instance accepted and whose fate is not settled. */
  readonly pendingEntry: (id: string) => Entry | undefined;
  /** Calls back once everything that is committed by now has been told. */
  readonly whenPassed: (work: () => void) => void;
  readonly monotonicMs: () => number;
}

/** The last that is known of one event. */
interface Note {
  /** A snapshot at this position or a later one has seen it. */
  readonly until: LogPosition;
  readonly notedAtMs: number;
  readonly bytes: number;
}

/** What retention took. */
interface Range {
  readonly fromSeconds: number;
  readonly toSeconds: number;
  readonly kind: number | undefined;
  readonly until: LogPosition;
  readonly notedAtMs: number;
}

/** About what a note takes besides its event. */
const NOTE_BYTES = 250;

/** What a replica gave. */
type Row = Pick<StoredEvent, 'id' | 'createdAt' | 'kind'>;

/**
 * What happened to stored events lately, for answers from a replica, which has replayed the
 * primary up to some transaction and no further. Everything that this instance was told of and that
 * is not below `floor` is here with the state that holds in the end, so that a snapshot of a
 * replica at `floor` or later, corrected by it, holds all that this instance has told or been told.
 *
 * Own events that were refused for a cause not yet told are kept besides (`Doubts`).
 *
 * What is older than the allowance, or has no room, is forgotten, and the floor rises over it:
 * a replica that lags further cannot be used until it has come there.
 */
export class Unreplayed implements FollowerSink {
  readonly #parts: UnreplayedParts;
  readonly #limits: LagLimits;
  /** By id, in the order in which they were noted. */
  readonly #notes = new Map<string, Note>();
  /** Those events of the notes that are stored. */
  readonly #present = new EventIndex();
  #ranges: Range[] = [];
  #bytes = 0;
  #floor: LogPosition = Number.POSITIVE_INFINITY;
  /** False while changes may have been missed. */
  #whole = false;
  readonly #doubts = new Doubts();

  constructor(parts: UnreplayedParts, limits: LagLimits) {
    this.#parts = parts;
    this.#limits = limits;
  }

  /**
   * The position that a replica's snapshot must have reached to be of use; infinity while no
   * replica is, since something may have been missed.
   */
  get floor(): LogPosition {
    this.#forget();
    return this.#whole ? this.#floor : Number.POSITIVE_INFINITY;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** True where more is known of an event than a snapshot at `position`, which holds it, says. */
  replaces({ id, createdAt, kind }: Row, position: LogPosition): boolean {
    const note = this.#notes.get(id);
    if (note !== undefined && note.until > position) return true;
    return this.#ranges.some((range) => range.until > position && isIn(range, createdAt, kind));
  }

  /** The stored events that match and that a snapshot at `position` may lack, newest first. */
  query(filter: Filter, limit: number, position: LogPosition): Entry[] {
    const found: Entry[] = [];
    if (this.#present.size === 0 || limit <= 0) return found;
    this.#present.walk(filter, (entry) => {
      if ((this.#notes.get(entry.id)?.until ?? 0) > position) found.push(entry);
      return found.length < limit;
    });
    return found;
  }

  /** True where an answer has to do with an own event that was refused for a cause not yet told. */
  doubts(filter: Filter, found: readonly StoredEvent[], limit: number): boolean {
    return this.#doubts.concern(filter, found, limit);
  }

  added(
    id: string,
    text: string,
    lane: Lane,
    acceptedAtMs: number | undefined,
    transaction: number,
  ): void {
    this.#note(id, transaction, text);
    this.#parts.sink.added(id, text, lane, acceptedAtMs, transaction);
  }

  held(id: string, text: string, transaction: number): void {
    this.#note(id, transaction, text);
    this.#parts.sink.held(id, text, transaction);
  }

  removed(id: string, transaction: number): void {
    this.#note(id, transaction);
    this.#parts.sink.removed(id, transaction);
  }

  dropped(
    fromSeconds: number,
    toSeconds: number,
    kind: number | undefined,
    transaction: number,
  ): void {
    const notedAtMs = this.#parts.monotonicMs();
    const range = { fromSeconds, toSeconds, kind, until: transaction + 1, notedAtMs };
    this.#ranges.push(range);
    const gone = this.#present.query(
      { since: fromSeconds, until: toSeconds },
      Number.POSITIVE_INFINITY,
    );
    for (const entry of gone) {
      if (isIn(range, entry.created_at, entry.kind)) this.#note(entry.id, transaction);
    }
    this.#parts.sink.dropped(fromSeconds, toSeconds, kind, transaction);
  }

  /**
   * From here on the database speaks for an event. Where it was refused, its cause (a newer
   * version, a deletion) may be news to come: until then a replica could show what was before.
   */
  decided(id: string, outcome: Outcome): void {
    const { sink, pendingEntry, whenPassed } = this.#parts;
    const entry = pendingEntry(id);
    // A duplicate stays pending until the log has passed the first copy.
    if (entry !== undefined && outcome !== 'duplicate' && !this.#notes.has(id)) {
      this.#doubts.add(entry);
      whenPassed(() => this.#doubts.remove(id));
    }
    sink.decided(id, outcome);
  }

  ephemeral(id: string, text: string, acceptedAtMs: number): void {
    this.#parts.sink.ephemeral(id, text, acceptedAtMs);
  }

  gap(): void {
    this.#whole = false;
    this.#parts.sink.gap();
  }

  caughtUp(): void {
    this.#whole = true;
    this.#parts.sink.caughtUp();
  }

  missed(): void {
    this.#parts.sink.missed();
  }

  /** What was told before the snapshot, and holds beyond it, is told anew. */
  async load(): Promise<LogPosition> {
    const position = await this.#parts.sink.load();
    this.#notes.clear();
    this.#present.clear();
    this.#ranges = [];
    this.#bytes = 0;
    this.#floor = position;
    return position;
  }

  /** @param text of an event that is stored; absent of one that is gone. */
  #note(id: string, transaction: number, text?: string): void {
    const before = this.#notes.get(id);
    // The later one of two may have begun first.
    const until = Math.max(transaction + 1, before?.until ?? 0);
    this.#drop(id, before);
    const entry = text === undefined ? undefined : entryOfText(text);
    if (entry !== undefined) this.#present.add(entry);
    const bytes = NOTE_BYTES + (entry === undefined ? 0 : entryBytes(entry));
    this.#bytes += bytes;
    this.#notes.set(id, { until, notedAtMs: this.#parts.monotonicMs(), bytes });
    this.#forget();
  }

  #drop(id: string, note: Note | undefined): void {
    if (note === undefined) return;
    this.#notes.delete(id);
    this.#present.remove(id);
    this.#bytes -= note.bytes;
  }

  #forget(): void {
    const before = this.#parts.monotonicMs() - this.#limits.lagMs;
    for (const [id, note] of this.#notes) {
      if (note.notedAtMs >= before && this.#bytes <= this.#limits.bytesMax) break;
      this.#drop(id, note);
      this.#floor = Math.max(this.#floor, note.until);
    }
    while (this.#ranges[0] !== undefined && this.#ranges[0].notedAtMs < before) {
      this.#floor = Math.max(this.#floor, this.#ranges[0].until);
      this.#ranges.shift();
    }
  }
}

const isIn = (range: Range, createdAt: number, kind: number): boolean =>
  createdAt >= range.fromSeconds &&
  createdAt <= range.toSeconds &&
  (range.kind === undefined || range.kind === kind) &&
  agesOut(kind);
