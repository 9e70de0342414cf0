import { compareEvents, type NostrEvent } from '../nostr/event.ts';

/**
 * One row out of several, each newest first: newest first again, and what stands in more than
 * one comes once.
 */
export async function* mergeNewestFirst(
  sources: readonly AsyncIterator<NostrEvent>[],
): AsyncGenerator<NostrEvent, void, undefined> {
  const heads = await Promise.all(sources.map((source) => take(source)));
  for (;;) {
    const first = heads.reduce(
      (least, head) => (least && head && compareEvents(head, least) >= 0 ? least : (head ?? least)),
      undefined,
    );
    if (first === undefined) return;
    yield first;
    for (const [index, source] of sources.entries()) {
      if (heads[index]?.id === first.id) heads[index] = await take(source);
    }
  }
}

async function take(source: AsyncIterator<NostrEvent>): Promise<NostrEvent | undefined> {
  const next = await source.next();
  return next.done === true ? undefined : next.value;
}
