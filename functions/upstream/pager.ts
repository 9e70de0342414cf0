import type { NostrEvent } from '../nostr/event.ts';
import type { Filter } from '../nostr/filter.ts';
import { UpstreamFailure } from './failure.ts';
import { freshOf, idsAt, isEmpty, isNewestFirst, type Page } from './page.ts';
import {
  type Next,
  type PagerOptions,
  type PageSource,
  Reach,
  Second,
  type Slice,
} from './reach.ts';

export type { PagerOptions, PageSource, Slice } from './reach.ts';

/**
 * All stored events that match, from the newest to the oldest, each once, from any relay of
 * NIP-01, however few it gives at a time and in whatever order. A page is believed to be the
 * newest of what matches, so all seconds after its oldest one are whole; the oldest may go on in
 * the next page, which therefore begins with that same second. A short page ends nothing: the end
 * is where nothing older comes, or where the relay says so (NIP-67). A second that may be more
 * than a page is asked for with a larger limit and then by ever narrower filters, and
 * `onIncomplete` is told if none of it can prove the second whole.
 */
export async function* pageBackwards(
  source: PageSource,
  filter: Filter,
  options: PagerOptions,
): AsyncGenerator<Slice, void, undefined> {
  const since = filter.since ?? 0;
  const reach = new Reach(source, options);
  let until = filter.until;
  if (until !== undefined && since > until) return;
  /** Ids of the second `until` that were given already; no others can come again. */
  let known: ReadonlySet<string> = new Set();
  let page = await reach.page(pageFilter(filter, until));
  if (options.onOutOfOrder !== undefined) {
    const missed = await missedAtTop(reach, filter, page, options.onOutOfOrder);
    if (missed.length > 0) yield { events: missed, wholeFrom: (until ?? since) + 1 };
  }
  for (;;) {
    const fresh = freshOf(page, known);
    if (page.hint === 'finish' || isEmpty(page)) return yield { events: fresh, wholeFrom: since };
    const oldest = oldestOf(page);
    if (until === undefined || oldest < until) {
      yield { events: fresh, wholeFrom: oldest + 1 };
      known = idsAt(page, oldest);
      until = oldest;
      const next = await reach.page(pageFilter(filter, until));
      if (next.oldest !== undefined && next.oldest < until) reach.noteCut(page);
      page = next;
      continue;
    }
    const second = new Second(until, [...known, ...fresh.map(({ id }) => id)], page.events);
    yield { events: fresh, wholeFrom: until + 1 };
    const next: Next | undefined = yield* reach.beyond(filter, page, second, fresh.length > 0);
    if (next === undefined) return yield { events: [], wholeFrom: since };
    ({ page, until, known } = next);
  }
}

/**
 * Events that are newer than all of the first page, which must be the newest there are: a relay
 * that gives the oldest first would otherwise be taken for one that has nothing newer.
 */
async function missedAtTop(
  reach: Reach,
  filter: Filter,
  page: Page,
  onOutOfOrder: (since: number, until: number) => void,
): Promise<readonly NostrEvent[]> {
  const newest = page.events.reduce((most, one) => Math.max(most, one.created_at), 0);
  const { until } = filter;
  if (until === undefined || newest >= until || page.events.length < 2) return [];
  const inOneSecond = page.oldest === newest;
  if (page.hint === 'finish' || (isNewestFirst(page.events) && !inOneSecond)) return [];
  const missed = await reach.page({ ...filter, since: newest + 1 });
  if (isEmpty(missed)) return [];
  onOutOfOrder(newest, until);
  return freshOf(missed, new Set());
}

const pageFilter = (filter: Filter, until: number | undefined): Filter =>
  until === undefined ? filter : { ...filter, until };

function oldestOf({ oldest }: Page): number {
  if (oldest !== undefined) return oldest;
  throw new UpstreamFailure(
    'misbehaved',
    'the relay has more and gives nothing that was asked for',
  );
}
