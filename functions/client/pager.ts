import { compareEvents, type NostrEvent } from '../nostr/event.ts';
import type { Filter } from '../nostr/filter.ts';
import { type PagerOptions, type PageSource, pageBackwards } from '../upstream/pager.ts';

/**
 * All stored events that match, newest first, each once, at most the filter's `limit`. See
 * `pageBackwards` for how much of it any relay can be made to give.
 */
export async function* pageNewestFirst(
  source: PageSource,
  filter: Filter,
  options: PagerOptions,
): AsyncGenerator<NostrEvent, void, undefined> {
  const wanted = filter.limit ?? Number.POSITIVE_INFINITY;
  if (wanted === 0) return;
  let given = 0;
  /** Of seconds that may still grow. */
  let held: NostrEvent[] = [];
  for await (const { events, wholeFrom } of pageBackwards(source, filter, options)) {
    held = held.concat(events);
    const whole = held.filter((event) => event.created_at >= wholeFrom);
    if (whole.length === 0) continue;
    held = held.filter((event) => event.created_at < wholeFrom);
    for (const event of whole.sort(compareEvents)) {
      yield event;
      given += 1;
      if (given === wanted) return;
    }
  }
}
