import type pg from 'pg';
import { type Filter, matchesNothing } from '../nostr/filter.ts';
import { cancellable } from './cancel.ts';
import { eventKey, type Key } from './keys.ts';
import { queryEvents, stepsOf } from './read.ts';
import { buildIdQuery } from './read-sql.ts';
import { withSession } from './session.ts';

/** A stored event by time and id, which is all that comparing two sets needs. */
export interface ListedId {
  /** Unix seconds. */
  readonly createdAt: number;
  readonly id: string;
}

export interface ListOptions {
  /** Narrow the filter's own times; Unix seconds, inclusive. */
  readonly since?: number;
  readonly until?: number;
  /** More ids than this are refused, with `TooManyIds`. */
  readonly idsMax: number;
  /** Ends the running statement in the server, too. */
  readonly signal?: AbortSignal;
  /** Rows of one page. */
  readonly pageRows?: number;
}

/** More events match than the caller would take. */
export class TooManyIds extends Error {
  override readonly name = 'TooManyIds';
  readonly idsMax: number;

  constructor(idsMax: number) {
    super(`more than ${idsMax} events match`);
    this.idsMax = idsMax;
  }
}

/** Rows of one page by default: some ten milliseconds of the server's time, a few of the event loop's. */
const PAGE_ROWS = 2_000;

/**
 * The times and ids of all stored events that match a filter, or of the newest ones up to its
 * limit: newest first, ties by lowest id, in pages. No connection is held between two pages, so
 * what changes in the meantime may be in or not.
 * @throws TooManyIds, what the database throws, and the reason of the signal.
 */
export async function* listIds(
  pool: pg.Pool,
  filter: Filter,
  options: ListOptions,
): AsyncGenerator<readonly ListedId[], void, undefined> {
  const { idsMax } = options;
  const narrowed = narrow(filter, options);
  if (matchesNothing(narrowed)) return;
  const wanted = Math.min(filter.limit ?? Number.POSITIVE_INFINITY, idsMax + 1);
  let listed = 0;
  for await (const page of pagesOf(pool, narrowed, wanted, options)) {
    listed += page.length;
    if (listed > idsMax) throw new TooManyIds(idsMax);
    yield page;
  }
}

function narrow(filter: Filter, { since = 0, until }: ListOptions): Filter {
  const last = Math.min(filter.until ?? Number.MAX_SAFE_INTEGER, until ?? Number.MAX_SAFE_INTEGER);
  return {
    ...filter,
    since: Math.max(filter.since ?? 0, since),
    ...(last < Number.MAX_SAFE_INTEGER && { until: last }),
  };
}

type Paging = Pick<ListOptions, 'pageRows' | 'signal'>;

/** At most `wanted` ids, page by page. */
async function* pagesOf(
  pool: pg.Pool,
  filter: Filter,
  wanted: number,
  paging: Paging,
): AsyncGenerator<readonly ListedId[], void, undefined> {
  const { pageRows = PAGE_ROWS, signal } = paging;
  if (filter.ids !== undefined) {
    const limit = Math.min(wanted, filter.ids.length);
    yield await queryEvents(pool, filter, { limit, ...(signal && { signal }) });
    return;
  }
  let left = wanted;
  for (const step of stepsOf(filter, Math.floor(Date.now() / 1_000))) {
    let until = step.until;
    for (;;) {
      if (left <= 0) return;
      const rows = Math.min(pageRows, left);
      const asked = { ...filter, ...step, ...(until !== undefined && { until }) };
      const page = await readPage(pool, asked, rows, signal);
      left -= page.length;
      if (page.length > 0) yield page;
      const last = page.at(-1);
      // A page that is not full is the last one of its step, and so is one of the first second.
      if (page.length < rows || last === undefined) break;
      const rest = pagesOfSecond(pool, filter, last, left, paging);
      for await (const more of rest) {
        left -= more.length;
        yield more;
      }
      if (last.createdAt <= (step.since ?? 0)) break;
      until = last.createdAt - 1;
    }
  }
}

/** What one second still has after an event: a page may end in the middle of it. */
async function* pagesOfSecond(
  pool: pg.Pool,
  filter: Filter,
  after: ListedId,
  wanted: number,
  paging: Paging,
): AsyncGenerator<readonly ListedId[], void, undefined> {
  const { pageRows = PAGE_ROWS, signal } = paging;
  const second = { ...filter, since: after.createdAt, until: after.createdAt };
  let above = eventKey(after.id);
  let left = wanted;
  while (left > 0) {
    const rows = Math.min(pageRows, left);
    const page = await readPage(pool, second, rows, signal, above);
    if (page.length > 0) yield page;
    if (page.length < rows) return;
    left -= page.length;
    above = eventKey(page.at(-1)?.id ?? above);
  }
}

async function readPage(
  pool: pg.Pool,
  filter: Filter,
  rows: number,
  signal: AbortSignal | undefined,
  above?: Key,
): Promise<ListedId[]> {
  signal?.throwIfAborted();
  const statement = buildIdQuery(filter, rows, above);
  if (statement === undefined) return [];
  const { name, text, values } = statement;
  return withSession(pool, (client) =>
    cancellable(pool, client, signal, async () => {
      const query = { name, text, values: [...values], rowMode: 'array' };
      const found = await client.query<[string, string]>(query);
      return found.rows.map(([createdAt, id]) => ({ createdAt: Number(createdAt), id }));
    }),
  );
}
