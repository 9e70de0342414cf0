import { byValue } from '../cloud/metrics/by-value.ts';
import type { Log } from '../cloud/log.ts';
import type { Counter, Metrics } from '../cloud/metrics/registry.ts';
import type { LogPosition } from '../database/changes.ts';
import type { StoredEvent } from '../database/read.ts';
import { ReplicaBehind } from '../database/replica.ts';
import { sqlStateOf } from '../database/session.ts';
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
  /** Resolves where the replica answers. */
  ask(): Promise<void>;
}

export interface ReplicaReadsParts {
  readonly replica: ReplicaDoors;
  readonly primary: QueryStored;
  readonly unreplayed: Unreplayed;
  readonly monotonicMs: () => number;
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** What came of a query that might go to the replica; all but `answered` went to the primary. */
type Outcome = 'answered' | 'behind' | 'away' | 'slow' | 'failed';

/** The primary is asked where the replica has not answered by then: it must yet have time. */
const PATIENCE_MS = 2_000;
/** One line in so long about queries that the replica could not answer. */
const LINE_EVERY_MS = 30_000;

/**
 * Errors that say something of the replica itself: classes of no connection, no login, no room, a
 * server that ends or is broken, and all that is no verdict of PostgreSQL's. Not of it: a query
 * that got in the way of what is replayed (40001, 40P01), or was cancelled for its time (57014).
 */
const GONE = /^(?!.{5}$)|^(08|28|3D|53|57P|58|XX)/;

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
    if (found === 'behind') {
      this.#complain('the read replica is too far behind; reads go to the primary', {});
    }
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
    if (!this.#health.present) return 'away';
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(new TooSlow()), PATIENCE_MS);
    const signal = AbortSignal.any([options.signal, patience.signal]);
    try {
      // A server that hangs lets go of a query much later.
      return await Promise.race([aborted(signal), this.#ask(filter, { ...options, signal }, grow)]);
    } catch (error) {
      if (options.signal.aborted || error instanceof AnswerTooLarge) throw error;
      if (error instanceof ReplicaBehind) return 'behind';
      if (error instanceof TooSlow) {
        this.#health.suspect();
        return 'slow';
      }
      if (GONE.test(sqlStateOf(error) ?? '')) this.#health.failed(error);
      else this.#complain('a query failed on the read replica; the primary is asked', { error });
      return 'failed';
    } finally {
      clearTimeout(timer);
      // What has no more to do ends.
      patience.abort(new TooSlow());
    }
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
      if (least === Number.POSITIVE_INFINITY) throw new ReplicaBehind('changes may be missing');
      const take = unless(signal, grow());
      const { events, position } = await replica.query(filter, {
        limit: wanted,
        signal,
        take,
        least,
      });
      // From here on nothing is waited for, so that what is known is of one moment; and it must
      // reach down to what the replica had then.
      if (position < unreplayed.floor) throw new ReplicaBehind('the replica fell behind');
      const known = unreplayed.query(filter, limit, position);
      const left = events.filter((row) => !unreplayed.replaces(row, position));
      const last = events.length < wanted ? undefined : events.at(-1);
      const found = merged(left, known, last);
      if (last === undefined || found.length >= limit) return found.slice(0, limit);
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
