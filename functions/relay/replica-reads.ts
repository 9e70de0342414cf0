import type { Log } from '../cloud/log.ts';
import { byValue } from '../cloud/metrics/by-value.ts';
import type { Counter, Metrics } from '../cloud/metrics/registry.ts';
import type { LogPosition } from '../database/changes.ts';
import type { StoredEvent } from '../database/read.ts';
import { ReplicaBehind } from '../database/replica.ts';
import { isPoolBusy, sqlStateOf } from '../database/session.ts';
import { compareEvents } from '../nostr/event.ts';
import type { Filter } from '../nostr/filter.ts';
import { AnswerTooLarge } from './answer-bytes.ts';
import type { QueryStored, QueryStoredOptions } from './answers.ts';
import { type Entry, entryOfText } from './entry.ts';
import { ReplicaHealth } from './replica-health.ts';
import type { Unreplayed } from './unreplayed.ts';
import { isNewer } from './versions.ts';

/** The doors to a replica. */
export interface ReplicaDoors {
  /** `queryReplica` behind a small door. */
  query(
    filter: Filter,
    options: QueryStoredOptions & { readonly least: LogPosition },
  ): Promise<{ readonly events: readonly StoredEvent[]; readonly position: LogPosition }>;
  /** Resolves where the replica answers, whatever is under way there. */
  ask(): Promise<void>;
  /** True where so much waits for it already that the primary is the quicker one. */
  isBusy(): boolean;
}

export interface ReplicaReadsParts {
  readonly replica: ReplicaDoors;
  readonly primary: QueryStored;
  readonly unreplayed: Unreplayed;
  /** What the answer to a REQ may take. */
  readonly deadlineMs: number;
  readonly monotonicMs: () => number;
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: Metrics;
}

/**
 * What came of a query that might go to the replica; all but `answered` went to the primary.
 * `unsure`: this instance does not know enough to correct the replica, which says nothing of it.
 */
type Outcome = 'answered' | 'behind' | 'unsure' | 'busy' | 'away' | 'slow' | 'failed';

/** A replica that has not answered by then is asked how it is; less where less time is given. */
const PATIENCE_MAX_MS = 2_000;
/** One line in so long about queries that the replica could not answer. */
const LINE_EVERY_MS = 30_000;

/** A SQLSTATE holds a digit, which tells it from EPIPE. */
const SQLSTATE = /^(?=.*[0-9])[0-9A-Z]{5}$/;
/**
 * Errors that say something of the replica itself: classes of no connection, no login, no room, a
 * server that ends or is broken, and those of sockets. Not of it: a query that got in the way of
 * what is replayed (40001, 40P01), or was cancelled for its time (57014).
 */
const GONE = /^(08|28|3D|53|57P|58|XX)/;

function isGone(error: unknown): boolean {
  const code = sqlStateOf(error);
  if (code !== undefined) return !SQLSTATE.test(code) || GONE.test(code);
  // What node-pg says of a lost connection has no code; nor have mistakes of ours.
  return !(error instanceof TypeError || error instanceof RangeError);
}

/**
 * Answers what needs the database from a replica, as the primary would: with all that this instance
 * has told or been told. Where the replica cannot be used the primary is asked; nobody sees that.
 */
export class ReplicaReads {
  readonly #parts: ReplicaReadsParts;
  readonly #health: ReplicaHealth;
  readonly #outcomes: (outcome: Outcome) => Counter;
  #lineAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: ReplicaReadsParts) {
    this.#parts = parts;
    const { replica, log, random, metrics } = parts;
    this.#health = new ReplicaHealth({ ask: () => replica.ask(), log, random });
    this.#outcomes = byValue((outcome) => metrics.counter('replica_queries_total', { outcome }));
    metrics.watch('replica_lag_bytes', {}, () => parts.unreplayed.bytes);
  }

  /** The door for `Answers`. */
  readonly query: QueryStored = async (filter, options) => {
    const grow = takeGrowth(options.take);
    const found = await this.#fromReplica(filter, options, grow);
    options.signal.throwIfAborted();
    this.#outcomes(typeof found === 'string' ? found : 'answered').add();
    if (typeof found !== 'string') return found;
    return this.#parts.primary(filter, { ...options, take: grow() });
  };

  stop(): void {
    this.#health.stop();
  }

  async #fromReplica(
    filter: Filter,
    options: QueryStoredOptions,
    grow: () => (bytes: number) => void,
  ): Promise<readonly StoredEvent[] | Exclude<Outcome, 'answered'>> {
    const { replica, deadlineMs, monotonicMs } = this.#parts;
    if (!this.#health.present) return 'away';
    if (replica.isBusy()) return 'busy';
    const patienceMs = Math.min(PATIENCE_MAX_MS, deadlineMs / 3);
    const patience = new AbortController();
    const giveUp = (): void => patience.abort(new TooSlow());
    const timers = [
      setTimeout(() => {
        // A query that takes long goes on where the replica is well: twice would take longer.
        void this.#health.suspect().then((present) => present || giveUp());
      }, patienceMs),
      // The primary must yet have time.
      setTimeout(giveUp, deadlineMs / 2),
    ];
    const beganMs = monotonicMs();
    const signal = AbortSignal.any([options.signal, patience.signal]);
    try {
      // A server that hangs lets go of a query much later.
      return await Promise.race([aborted(signal), this.#ask(filter, { ...options, signal }, grow)]);
    } catch (error) {
      // An earlier filter of the REQ may have taken its time.
      if (options.signal.aborted && monotonicMs() - beganMs > patienceMs / 2) {
        void this.#health.suspect();
      }
      if (options.signal.aborted || error instanceof AnswerTooLarge) throw error;
      return this.#outcomeOf(error);
    } finally {
      for (const timer of timers) clearTimeout(timer);
      // What has no more to do ends.
      giveUp();
    }
  }

  #outcomeOf(error: unknown): Exclude<Outcome, 'answered'> {
    if (error instanceof TooSlow) return 'slow';
    if (isPoolBusy(error)) return 'busy';
    if (error instanceof ReplicaBehind) {
      this.#complain('the read replica is too far behind; reads go to the primary', {});
      return 'behind';
    }
    if (error instanceof Unsure) {
      const reason = error.message;
      this.#complain('the read replica cannot be corrected; reads go to the primary', { reason });
      return 'unsure';
    }
    if (isGone(error)) this.#health.failed(error);
    else this.#complain('a query failed on the read replica; the primary is asked', { error });
    return 'failed';
  }

  /** Nobody knows before how many rows are not to be shown; where some are, more are asked for. */
  async #ask(
    filter: Filter,
    { limit, signal }: QueryStoredOptions,
    grow: () => (bytes: number) => void,
  ): Promise<readonly StoredEvent[]> {
    const { replica, unreplayed } = this.#parts;
    for (let wanted = limit; ; ) {
      const least = unreplayed.floor;
      if (least === Number.POSITIVE_INFINITY) throw brokenLane();
      const take = unless(signal, grow());
      const { events, position } = await replica.query(filter, {
        limit: wanted,
        signal,
        take,
        least,
      });
      // From here on nothing is waited for, so that what is known is of one moment; and it must
      // reach down to what the replica had then.
      const { floor } = unreplayed;
      if (floor === Number.POSITIVE_INFINITY) throw brokenLane();
      if (position < floor) throw new ReplicaBehind('the replica fell behind');
      const known = unreplayed.query(filter, limit, position);
      const left = events.filter((row) => !unreplayed.replaces(row, position));
      const last = events.length < wanted ? undefined : events.at(-1);
      const found = merged(left, known, last).slice(0, limit);
      if (last === undefined || found.length >= limit) {
        if (unreplayed.doubts(filter, found, limit)) {
          throw new Unsure('the log has not told yet why an own event was refused');
        }
        return found;
      }
      wanted += 2 * (events.length - left.length);
    }
  }

  #complain(what: string, fields: Readonly<Record<string, unknown>>): void {
    const nowMs = this.#parts.monotonicMs();
    if (nowMs - this.#lineAtMs < LINE_EVERY_MS) return;
    this.#lineAtMs = nowMs;
    this.#parts.log.warning(what, fields);
  }
}

class TooSlow extends Error {}
class Unsure extends Error {}

const brokenLane = (): Unsure => new Unsure('the log has not been read since the fast lane broke');

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/**
 * The same bytes are told once, however often they are asked for: each call begins anew, and tells
 * of what goes beyond the longest so far.
 */
function takeGrowth(take: (bytes: number) => void): () => (bytes: number) => void {
  let told = 0;
  return () => {
    let taken = 0;
    return (bytes) => {
      taken += bytes;
      const more = taken - told;
      if (more <= 0) return;
      told = taken;
      take(more);
    };
  };
}

/** Rows that nobody waits for any more may come yet. */
const unless =
  (signal: AbortSignal, take: (bytes: number) => void) =>
  (bytes: number): void => {
    if (!signal.aborted) take(bytes);
  };

const orderOf = ({ id, createdAt }: StoredEvent) => ({ id, created_at: createdAt });
const compareRows = (a: StoredEvent, b: StoredEvent): number =>
  compareEvents(orderOf(a), orderOf(b));

/**
 * Rows of a replica and what it lacks, in order, down to `last`, below which the replica may have
 * more. Where the replica knows a newer version already than this instance, that one is shown.
 */
function merged(
  rows: readonly StoredEvent[],
  known: readonly Entry[],
  last: StoredEvent | undefined,
): readonly StoredEvent[] {
  if (known.length === 0) return rows;
  const added = withoutOutdated(known, rows).map(
    ({ id, created_at, kind, text }): StoredEvent => ({ id, createdAt: created_at, kind, text }),
  );
  const all = [...rows, ...added].sort(compareRows);
  return last === undefined ? all : all.filter((each) => compareRows(each, last) <= 0);
}

function withoutOutdated(known: readonly Entry[], rows: readonly StoredEvent[]): readonly Entry[] {
  const kinds = new Set<number>();
  for (const { kind, address } of known) if (address !== undefined) kinds.add(kind);
  if (kinds.size === 0) return known;
  const versions = new Map<string, Entry>();
  for (const { kind, text } of rows) {
    if (!kinds.has(kind)) continue;
    const entry = entryOfText(text);
    if (entry.address !== undefined) versions.set(entry.address, entry);
  }
  return known.filter(({ address, ...entry }) => {
    const version = address === undefined ? undefined : versions.get(address);
    return version === undefined || !isNewer(version, entry);
  });
}
