import type { StoredEvent } from '../database/read.ts';
import { compareEvents } from '../nostr/event.ts';
import { type Filter, matchesNothing } from '../nostr/filter.ts';
import { type Entry, entryOfText } from './entry.ts';
import { isNewer, type Pending } from './pending.ts';
import type { RecentWindow } from './recent-window.ts';

/** Asks the database; `queryEvents` behind a small door. */
export type QueryStored = (
  filter: Filter,
  options: { readonly limit: number; readonly signal: AbortSignal },
) => Promise<readonly StoredEvent[]>;

export interface AnswerLimits {
  readonly limitDefault: number;
  readonly limitMax: number;
  readonly requestEventsMax: number;
}

type Found = Pick<Entry, 'id' | 'created_at' | 'kind' | 'text'>;

/**
 * Answers REQs from three places as if they were one: what this instance accepted and the
 * database has not confirmed, the recent window where it is sure, and the database otherwise.
 */
export class Answers {
  readonly #window: RecentWindow;
  readonly #pending: Pending;
  readonly #queryStored: QueryStored;
  readonly #limits: AnswerLimits;

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
  }

  /**
   * The stored events that match any of the filters, each once, newest first, ties by lowest id.
   * Everything in memory is asked first, so that an event cannot slip from there to the database
   * between the two.
   * @throws what the database throws, where it is needed.
   */
  async find(filters: readonly Filter[], signal: AbortSignal): Promise<readonly Found[]> {
    const answers = await Promise.all(filters.map((filter) => this.#findOne(filter, signal)));
    if (answers.length === 1) return answers[0]!.slice(0, this.#limits.requestEventsMax);
    const byId = new Map<string, Found>();
    for (const answer of answers) for (const found of answer) byId.set(found.id, found);
    return [...byId.values()].sort(compareEvents).slice(0, this.#limits.requestEventsMax);
  }

  async #findOne(filter: Filter, signal: AbortSignal): Promise<readonly Found[]> {
    const limit = Math.min(filter.limit ?? this.#limits.limitDefault, this.#limits.limitMax);
    if (limit === 0 || matchesNothing(filter)) return [];
    const pending = this.#pending.query(filter, limit);
    const hiding = this.#pending.hiding(filter);
    const wanted = limit + (hiding?.countMax ?? 0);
    const asked = this.#notPending(filter);
    const recent = matchesNothing(asked) ? [] : this.#window.answer(asked, wanted);
    const stored =
      recent ?? (await this.#queryStored(asked, { limit: wanted, signal })).map(foundOfRow);
    const shown =
      hiding === undefined ? stored : stored.filter((event) => !hiding.hides(asEntry(event)));
    return merge(withoutSuperseded(pending, shown), shown, limit);
  }

  /** What is left to ask of the window and the database: ids that are pending are found already. */
  #notPending(filter: Filter): Filter {
    if (filter.ids === undefined) return filter;
    return { ...filter, ids: filter.ids.filter((id) => !this.#pending.shows(id)) };
  }
}

function foundOfRow({ id, createdAt, kind, text }: StoredEvent): Found {
  return { id, created_at: createdAt, kind, text };
}

function asEntry(found: Found): Entry {
  return 'tags' in found ? (found as Entry) : entryOfText(found.text);
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
