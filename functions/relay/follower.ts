import type { Outcome, StoredMeta } from '../cloud/envelope.ts';
import type { Log } from '../cloud/log.ts';
import type { Change, LogPosition } from '../database/changes.ts';
import type { Lane } from './delivery-meter.ts';

/** What the follower tells of; all of it is applied in the order of the calls. */
export interface FollowerSink {
  /**
   * An event was committed and holds (it may be known already).
   * @param acceptedAtMs when some part took it; undefined where nobody noted it.
   * @param transaction the one of PostgreSQL that did it, here and below.
   */
  added(
    id: string,
    text: string,
    lane: Lane,
    acceptedAtMs: number | undefined,
    transaction: number,
  ): void;
  /** An event is gone: superseded, deleted, expired, banned. */
  removed(id: string, transaction: number): void;
  /** Retention took every event of a time range (kinds that age out), of one kind or all. */
  dropped(
    fromSeconds: number,
    toSeconds: number,
    kind: number | undefined,
    transaction: number,
  ): void;
  /** Store decided about an event that this instance may have accepted. */
  decided(id: string, outcome: Outcome): void;
  /** An ephemeral event, by way of `stored` alone. */
  ephemeral(id: string, text: string, acceptedAtMs: number): void;
  /** Something may have been missed; only the log can tell. */
  gap(): void;
  /** The log has been read up to what was committed when the read began. */
  caughtUp(): void;
  /** An event that holds although a snapshot or a dropped range, both older, say otherwise. */
  held(id: string, text: string, transaction: number): void;
  /** Changes were missed for good: what live subscribers should have got is not known. */
  missed(): void;
  /** The log does not reach back to the position, if there is one: load a snapshot. */
  load(): Promise<LogPosition>;
}

/** How the log is read; `readChanges` of the database room behind a small door. */
export type ReadChanges = (from: LogPosition) => Promise<
  | { readonly gap: true; readonly restored: boolean }
  | {
      readonly gap: false;
      readonly changes: readonly Change[];
      readonly position: LogPosition;
      readonly next: number;
      readonly complete: boolean;
    }
>;

interface Ahead {
  readonly seq: number;
  readonly transaction: number;
  /** The text of an addition; a removal has none. */
  readonly text?: string;
  /** The position at which nothing older about this event can come any more. */
  keepUntil?: number;
}

/** Work that waits until everything committed before it was noted has been seen. */
interface Mark {
  readonly work: () => void;
}

/**
 * Joins the fast lane (`stored`) and the changes log (the truth) into one stream of changes, each
 * applied once and in an order that holds for every single event.
 *
 * Below `position` the log has told everything, so a message that comes late is ignored whatever
 * its age. At or above it, `ahead` remembers what the fast lane told first, until the log has
 * passed. Of two changes to one event the one with the higher seq holds.
 */
export class Follower {
  readonly #read: ReadChanges;
  readonly #sink: FollowerSink;
  readonly #log: Log;
  readonly #ahead = new Map<string, Ahead>();
  /** Undefined until the first snapshot is loaded. */
  #position: LogPosition | undefined;
  #marks: Mark[] = [];
  /** Marks by the transaction that the log must have passed, in order. */
  #waiting: { readonly next: number; readonly marks: readonly Mark[] }[] = [];
  #gaps = 0;
  /** What the log must have passed for the last break to be mended; unknown until the next read. */
  #mendedAt: LogPosition | undefined;

  constructor(read: ReadChanges, sink: FollowerSink, log: Log) {
    this.#read = read;
    this.#sink = sink;
    this.#log = log;
  }

  /** Calls `work` once everything that is committed by now has been told. */
  whenPassed(work: () => void): void {
    this.#marks.push({ work });
  }

  /** The fast lane broke: messages may be missing. */
  broke(): void {
    this.#gaps += 1;
    this.#mendedAt = undefined;
    this.#sink.gap();
  }

  /** One line of a `stored` message. */
  heard(meta: StoredMeta, text: string | undefined): void {
    if (meta.outcome === 'ephemeral') {
      if (text !== undefined) this.#sink.ephemeral(meta.id, text, meta.acceptedAt);
      return;
    }
    const { change } = meta;
    if (change !== undefined && change.transaction >= (this.#position ?? 0)) {
      const { transaction } = change;
      for (const { id, seq } of change.removed) this.#remove(id, { seq, transaction });
      if (text !== undefined) {
        const ahead = { seq: change.seq, transaction, text };
        this.#add(meta.id, ahead, 'fast', meta.acceptedAt);
      }
    }
    this.#sink.decided(meta.id, meta.outcome);
  }

  /**
   * Reads the log on, to its end; the first time, or when the log no longer reaches back, from a
   * snapshot on.
   * @throws what the database throws; the position stays and the next call goes on from it.
   */
  async catchUp(): Promise<void> {
    for (;;) {
      const gapsBefore = this.#gaps;
      const position = this.#position ?? (await this.#startOver());
      const marks = this.#marks;
      this.#marks = [];
      const read = await this.#readOrKeep(position, marks);
      if (read.gap) {
        this.#log.warning('changes log no longer reaches back; starting over from a snapshot', {
          restored: read.restored,
        });
        this.#marks.unshift(...marks);
        this.#position = undefined;
        // Transaction numbers of another history say nothing about this one.
        if (read.restored) this.#ahead.clear();
        this.#sink.missed();
        continue;
      }
      for (const change of read.changes) this.#apply(change);
      this.#moveTo(read.position, read.next);
      this.#waiting.push({ next: read.next, marks });
      this.#releaseMarks(read.position);
      if (!read.complete) continue;
      // A break during the read leaves what came after it in doubt until the next one. And while
      // a slow transaction holds the log back, what others have committed is not read yet.
      if (this.#gaps !== gapsBefore) return;
      this.#mendedAt ??= read.next;
      if (read.position >= this.#mendedAt) this.#sink.caughtUp();
      return;
    }
  }

  /** What the fast lane told beyond the snapshot is put on top of it. */
  async #startOver(): Promise<LogPosition> {
    this.#sink.gap();
    const position = await this.#sink.load();
    for (const [id, { transaction, text }] of this.#ahead) {
      if (transaction < position) continue;
      if (text === undefined) this.#sink.removed(id, transaction);
      else this.#sink.held(id, text, transaction);
    }
    this.#position = position;
    // The snapshot has all that was committed when it was taken, whatever holds the log back.
    this.#mendedAt ??= position;
    // All that was committed before is in the snapshot; the log may never reach their numbers.
    const passed = this.#waiting.flatMap(({ marks }) => marks);
    this.#waiting = [];
    for (const { work } of passed) work();
    return position;
  }

  async #readOrKeep(from: LogPosition, marks: readonly Mark[]): ReturnType<ReadChanges> {
    try {
      return await this.#read(from);
    } catch (error) {
      this.#marks.unshift(...marks);
      throw error;
    }
  }

  #apply(change: Change): void {
    if (change.type === 'dropped') {
      const { fromSeconds, toSeconds, kind, transaction } = change;
      this.#sink.dropped(fromSeconds, toSeconds, kind, transaction);
      // Events of that range that were stored again since, and told by the fast lane already.
      for (const [id, ahead] of this.#ahead) {
        const { seq, text } = ahead;
        if (text !== undefined && seq > change.seq) this.#sink.held(id, text, ahead.transaction);
      }
      return;
    }
    const { id, seq, transaction } = change;
    if (change.type === 'removed') {
      this.#remove(id, { seq, transaction });
      return;
    }
    this.#add(id, { seq, transaction, text: change.text }, 'log', change.seenAt);
    this.#sink.decided(id, 'stored');
  }

  #add(
    id: string,
    ahead: Ahead & { readonly text: string },
    lane: Lane,
    acceptedAtMs: number | undefined,
  ): void {
    if (this.#isOld(id, ahead)) return;
    this.#ahead.set(id, ahead);
    this.#sink.added(id, ahead.text, lane, acceptedAtMs, ahead.transaction);
  }

  #remove(id: string, ahead: Ahead): void {
    if (this.#isOld(id, ahead)) return;
    this.#ahead.set(id, ahead);
    this.#sink.removed(id, ahead.transaction);
  }

  #isOld(id: string, { seq }: Ahead): boolean {
    const known = this.#ahead.get(id);
    return known !== undefined && known.seq >= seq;
  }

  /**
   * A removal may be read before the addition that it followed, when a third transaction holds
   * the position between the two. So what is known of an event stays until the log has passed
   * every transaction that was open when it was learnt.
   */
  #moveTo(position: LogPosition, next: number): void {
    this.#position = position;
    for (const [id, ahead] of this.#ahead) {
      if (ahead.keepUntil === undefined) ahead.keepUntil = Math.max(next, ahead.transaction + 1);
      if (position >= ahead.keepUntil) this.#ahead.delete(id);
    }
  }

  #releaseMarks(position: LogPosition): void {
    for (;;) {
      const first = this.#waiting[0];
      if (first === undefined || first.next > position) return;
      this.#waiting.shift();
      for (const { work } of first.marks) work();
    }
  }
}
