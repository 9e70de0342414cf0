import type { StoredEvent } from '../database/read.ts';
import type { StoredVersion } from '../database/versions.ts';
import { type Address, compareEvents } from '../nostr/event.ts';
import { type Filter, matchesNothing } from '../nostr/filter.ts';
import { AnswerBytes } from './answer-bytes.ts';
import { type Entry, entryOfText } from './entry.ts';
import type { HidingView } from './hiders.ts';
import type { Pending } from './pending.ts';
import type { RecentWindow } from './recent-window.ts';
import { isNewer } from './versions.ts';

export interface QueryStoredOptions {
  readonly limit: number;
  readonly signal: AbortSignal;
  /** Told of each row's size; what it throws ends the query. */
  readonly take: (bytes: number) => void;
}

/** Asks the database; `queryEvents` behind a small door. */
export type QueryStored = (
  filter: Filter,
  options: QueryStoredOptions,
) => Promise<readonly StoredEvent[]>;

/** Which versions are stored at these addresses, in their order. */
export type AskVersions = (
  addresses: readonly Address[],
) => Promise<readonly (StoredVersion | undefined)[]>;

export interface AnswerLimits {
  readonly limitDefault: number;
  readonly limitMax: number;
  readonly requestEventsMax: number;
  /** What the database may give for one REQ. */
  readonly answerBytesMax: number;
  /** What answers that are being put together may take at once, all REQs together. */
  readonly answersBytesMax: number;
}

/** Where an answer came from: `memory` where the database was not asked at all. */
export type AnsweredBy = 'memory' | 'database';

/** What a REQ is answered with. */
export interface Answer {
  readonly events: readonly Found[];
  readonly answeredBy: AnsweredBy;
}

type Found = Pick<Entry, 'id' | 'created_at' | 'kind' | 'text'>;

/** A question under way. */
interface Question {
  readonly filter: Filter;
  readonly limit: number;
  readonly bytes: AnswerBytes;
  readonly signal: AbortSignal;
  /** Shared by all filters of one REQ. */
  readonly source: { answeredBy: AnsweredBy };
}

/**
 * Answers REQs from three places as if they were one: what this instance accepted and the
 * database has not confirmed, the recent window where it is sure, and the database otherwise.
 */
export class Answers {
  readonly #window: RecentWindow;
  readonly #pending: Pending;
  readonly #queryStored: QueryStored;
  readonly #storedVersions: AskVersions;
  readonly #limits: AnswerLimits;
  readonly #bytes: { held: number };

  constructor(
    window: RecentWindow,
    pending: Pending,
    queryStored: QueryStored,
    storedVersions: AskVersions,
    limits: AnswerLimits,
  ) {
    this.#window = window;
    this.#pending = pending;
    this.#queryStored = queryStored;
    this.#storedVersions = storedVersions;
    this.#limits = limits;
    this.#bytes = { held: 0 };
  }

  /**
   * The stored events that match any of the filters, each once, newest first, ties by lowest id.
   * Everything in memory is asked first, so that an event cannot slip from there to the database
   * between the two.
   * @throws AnswerTooLarge, and what the database throws, where it is needed.
   */
  async find(filters: readonly Filter[], signal: AbortSignal): Promise<Answer> {
    const { limitDefault, limitMax, requestEventsMax } = this.#limits;
    const bytes = new AnswerBytes(this.#limits, this.#bytes);
    const source: Question['source'] = { answeredBy: 'memory' };
    try {
      const answers = await Promise.all(
        filters.map((filter) => {
          const limit = Math.min(filter.limit ?? limitDefault, limitMax);
          return this.#findOne({ filter, limit, bytes, signal, source });
        }),
      );
      const { answeredBy } = source;
      if (answers.length === 1) {
        return { events: answers[0]!.slice(0, requestEventsMax), answeredBy };
      }
      const byId = new Map<string, Found>();
      for (const answer of answers) for (const found of answer) byId.set(found.id, found);
      const events = [...byId.values()].sort(compareEvents).slice(0, requestEventsMax);
      return { events, answeredBy };
    } finally {
      bytes.release();
    }
  }

  async #findOne(question: Question): Promise<readonly Found[]> {
    const { filter, limit } = question;
    if (limit === 0 || matchesNothing(filter)) return [];
    const pending = this.#pending.query(filter, limit);
    const view = this.#pending.view();
    try {
      const stored = await this.#findStored(question, view);
      const shown = withoutSuperseded(pending, stored);
      const current = mayMissNewer(filter) ? await this.#onlyCurrent(shown, question) : shown;
      return merge(current, stored, limit);
    } finally {
      view.close();
    }
  }

  /**
   * The stored events that no pending one hides. Nobody knows before how many are hidden, so
   * where some are, twice as many more are asked for, until the limit is filled or nothing is left.
   */
  async #findStored(question: Question, view: HidingView): Promise<readonly Found[]> {
    const { filter, limit, bytes, signal, source } = question;
    const asked = this.#notPending(filter);
    if (matchesNothing(asked)) return [];
    for (let wanted = limit; ; ) {
      let taken = 0;
      const take = (size: number): void => {
        bytes.take(size);
        taken += size;
      };
      const recent = this.#window.answer(asked, wanted);
      if (recent === undefined) source.answeredBy = 'database';
      const found =
        recent ?? (await this.#queryStored(asked, { limit: wanted, signal, take })).map(foundOfRow);
      const left = found.filter((event) => !view.hides(hidable(event)));
      if (left.length >= limit || found.length < wanted) return left;
      // The rows of this look are let go.
      bytes.giveBack(taken);
      wanted += 2 * (found.length - left.length);
    }
  }

  /** What is left to ask of the window and the database: ids that are pending are found already. */
  #notPending(filter: Filter): Filter {
    if (filter.ids === undefined) return filter;
    return { ...filter, ids: filter.ids.filter((id) => !this.#pending.shows(id)) };
  }

  /** Leaves out pending versions of which a newer one is stored that the filter does not match. */
  async #onlyCurrent(shown: readonly Entry[], { source }: Question): Promise<readonly Entry[]> {
    const doubtful: Entry[] = [];
    const outdated = new Set<string>();
    for (const entry of shown) {
      if (entry.address === undefined) continue;
      const newest = this.#window.newestAt(entry.address);
      if (newest !== undefined && isNewer(newest, entry)) outdated.add(entry.id);
      else if (!this.#window.covers(entry.created_at)) doubtful.push(entry);
    }
    if (doubtful.length > 0) {
      source.answeredBy = 'database';
      const versions = await this.#storedVersions(doubtful.map(addressOfEntry));
      for (const [n, entry] of doubtful.entries()) {
        const version = versions[n];
        if (version !== undefined && isNewer(version, entry)) outdated.add(entry.id);
      }
    }
    return outdated.size === 0 ? shown : shown.filter(({ id }) => !outdated.has(id));
  }
}

function foundOfRow({ id, createdAt, kind, text }: StoredEvent): Found {
  return { id, created_at: createdAt, kind, text };
}

const hidable = (found: Found) => ({
  id: found.id,
  kind: found.kind,
  entry: () => asEntry(found),
});

function asEntry(found: Found): Entry {
  return 'tags' in found ? (found as Entry) : entryOfText(found.text);
}

/**
 * True for filters that an old version may match and a newer one not. By authors, kinds, `since`
 * and `#d` alone the newer version matches as well, and stands in the stored answer.
 */
function mayMissNewer({ ids, until, tags }: Filter): boolean {
  if (ids !== undefined || until !== undefined) return true;
  return [...(tags?.keys() ?? [])].some((letter) => letter !== 'd');
}

/** An address is `kind:pubkey:d`, and d may hold colons. */
function addressOfEntry({ kind, pubkey, address = '' }: Entry): Address {
  return { kind, pubkey, d: address.split(':').slice(2).join(':') };
}

/** A pending version is not shown beside a newer one that is stored already. */
function withoutSuperseded(pending: readonly Entry[], stored: readonly Found[]): readonly Entry[] {
  const kinds = new Set<number>();
  for (const entry of pending) if (entry.address !== undefined) kinds.add(entry.kind);
  if (kinds.size === 0) return pending;
  const versions = new Map<string, Found>();
  for (const found of stored) {
    const { address } = kinds.has(found.kind) ? asEntry(found) : { address: undefined };
    if (address !== undefined) versions.set(address, found);
  }
  return pending.filter((entry) => {
    const version = entry.address === undefined ? undefined : versions.get(entry.address);
    return version === undefined || !isNewer(version, entry);
  });
}

/** Two answers in order become one in order, each event once. */
function merge(
  pending: readonly Found[],
  stored: readonly Found[],
  limit: number,
): readonly Found[] {
  if (pending.length === 0) return stored.length > limit ? stored.slice(0, limit) : stored;
  const merged: Found[] = [];
  let p = 0;
  let s = 0;
  while (merged.length < limit) {
    const a = pending[p];
    const b = stored[s];
    if (a === undefined && b === undefined) break;
    const order = a === undefined ? 1 : b === undefined ? -1 : compareEvents(a, b);
    if (order <= 0) p += 1;
    if (order >= 0) s += 1;
    merged.push((order <= 0 ? a : b)!);
  }
  return merged;
}
