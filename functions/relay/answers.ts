import type { StoredEvent } from '../database/read.ts';
import { compareEvents } from '../nostr/event.ts';
import { type Filter, matchesNothing } from '../nostr/filter.ts';
import { kindClass } from '../nostr/kinds.ts';
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

export interface AnswerLimits {
  readonly limitDefault: number;
  readonly limitMax: number;
  readonly requestEventsMax: number;
  /** What the database may give for one REQ. */
  readonly answerBytesMax: number;
  /** What answers that are being put together may take at once, all REQs together. */
  readonly answersBytesMax: number;
}

type Found = Pick<Entry, 'id' | 'created_at' | 'kind' | 'text'>;

/** A question under way. */
interface Question {
  readonly filter: Filter;
  readonly limit: number;
  readonly bytes: AnswerBytes;
  readonly signal: AbortSignal;
}

/** Addresses that one look into the database asks for: authors × `d` tags are at most 900 rows. */
const ADDRESSES_A_LOOK = 30;

/**
 * Answers REQs from three places as if they were one: what this instance accepted and the
 * database has not confirmed, the recent window where it is sure, and the database otherwise.
 */
export class Answers {
  readonly #window: RecentWindow;
  readonly #pending: Pending;
  readonly #queryStored: QueryStored;
  readonly #limits: AnswerLimits;
  readonly #bytes: { held: number };

  constructor(
    window: RecentWindow,
    pending: Pending,
    queryStored: QueryStored,
    limits: AnswerLimits,
  ) {
    this.#window = window;
    this.#pending = pending;
    this.#queryStored = queryStored;
    this.#limits = limits;
    this.#bytes = { held: 0 };
  }

  /**
   * The stored events that match any of the filters, each once, newest first, ties by lowest id.
   * Everything in memory is asked first, so that an event cannot slip from there to the database
   * between the two.
   * @throws AnswerTooLarge, and what the database throws, where it is needed.
   */
  async find(filters: readonly Filter[], signal: AbortSignal): Promise<readonly Found[]> {
    const { limitDefault, limitMax, requestEventsMax } = this.#limits;
    const bytes = new AnswerBytes(this.#limits, this.#bytes);
    try {
      const answers = await Promise.all(
        filters.map((filter) => {
          const limit = Math.min(filter.limit ?? limitDefault, limitMax);
          return this.#findOne({ filter, limit, bytes, signal });
        }),
      );
      if (answers.length === 1) return answers[0]!.slice(0, requestEventsMax);
      const byId = new Map<string, Found>();
      for (const answer of answers) for (const found of answer) byId.set(found.id, found);
      return [...byId.values()].sort(compareEvents).slice(0, requestEventsMax);
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
   * where some are, twice as many are asked for, until the limit is filled or nothing is left.
   */
  async #findStored(question: Question, view: HidingView): Promise<readonly Found[]> {
    const { filter, limit } = question;
    const asked = this.#notPending(filter);
    if (matchesNothing(asked)) return [];
    for (let wanted = limit; ; wanted *= 2) {
      const recent = this.#window.answer(asked, wanted);
      const found = recent ?? (await this.#query(asked, wanted, question)).map(foundOfRow);
      const left = found.filter((event) => !view.hides(hidable(event)));
      if (left.length >= limit || found.length < wanted) return left;
    }
  }

  /** What is left to ask of the window and the database: ids that are pending are found already. */
  #notPending(filter: Filter): Filter {
    if (filter.ids === undefined) return filter;
    return { ...filter, ids: filter.ids.filter((id) => !this.#pending.shows(id)) };
  }

  /** Leaves out pending versions of which a newer one is stored that the filter does not match. */
  async #onlyCurrent(shown: readonly Entry[], question: Question): Promise<readonly Entry[]> {
    const doubtful: Entry[] = [];
    const outdated = new Set<string>();
    for (const entry of shown) {
      if (entry.address === undefined) continue;
      const newest = this.#window.newestAt(entry.address);
      if (newest !== undefined && isNewer(newest, entry)) outdated.add(entry.id);
      else if (!this.#window.covers(entry.created_at)) doubtful.push(entry);
    }
    for (const look of looksOf(doubtful)) {
      const versions = await this.#query(lookFor(look), ADDRESSES_A_LOOK ** 2, question);
      const stored = new Map(
        versions.map(({ text }) => entryOfText(text)).map((version) => [version.address, version]),
      );
      for (const entry of look) {
        const version = stored.get(entry.address);
        if (version !== undefined && isNewer(version, entry)) outdated.add(entry.id);
      }
    }
    return outdated.size === 0 ? shown : shown.filter(({ id }) => !outdated.has(id));
  }

  #query(filter: Filter, limit: number, question: Question): Promise<readonly StoredEvent[]> {
    const { bytes, signal } = question;
    return this.#queryStored(filter, { limit, signal, take: (size) => bytes.take(size) });
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

/** Groups of entries of one kind that one query can ask for. */
function looksOf(entries: readonly Entry[]): Entry[][] {
  const byKind = new Map<number, Entry[]>();
  for (const entry of entries) {
    const group = byKind.get(entry.kind);
    if (group === undefined) byKind.set(entry.kind, [entry]);
    else group.push(entry);
  }
  const looks: Entry[][] = [];
  for (const group of byKind.values()) {
    for (let at = 0; at < group.length; at += ADDRESSES_A_LOOK) {
      looks.push(group.slice(at, at + ADDRESSES_A_LOOK));
    }
  }
  return looks;
}

/** The filter that finds the stored versions of these entries, all of one kind. */
function lookFor(entries: readonly Entry[]): Filter {
  const kind = entries[0]!.kind;
  const authors = [...new Set(entries.map(({ pubkey }) => pubkey))];
  // An address is `kind:pubkey:d`, and d may hold colons.
  const names = new Set(entries.map(({ address = '' }) => address.split(':').slice(2).join(':')));
  // An event without a d tag has the address of an empty one, and no tag to find it by.
  const byName = kindClass(kind) === 'addressable' && !names.has('');
  return { kinds: [kind], authors, ...(byName && { tags: new Map([['d', [...names]]]) }) };
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
