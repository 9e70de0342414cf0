import { compareEvents } from '../nostr/event.ts';
import type { Entry } from './entry.ts';
import { newestUntil, type OrderedList } from './ordered-list.ts';

interface Cursor {
  readonly list: OrderedList;
  at: number;
  head: Entry;
}

/**
 * Walks several ordered lists as one, newest first, each entry once, from `until` down to
 * `since`, and gives each to `visit` until that returns false.
 */
export function walkMerged(
  lists: readonly OrderedList[],
  range: { readonly since?: number | undefined; readonly until?: number | undefined },
  visit: (entry: Entry) => boolean,
): void {
  const since = range.since ?? Number.NEGATIVE_INFINITY;
  const heap: Cursor[] = [];
  for (const list of lists) {
    const at = newestUntil(list, range.until);
    const head = list[at];
    if (head !== undefined && head.created_at >= since) heap.push({ list, at, head });
  }
  if (heap.length === 1) {
    walkOne(heap[0]!, since, visit);
    return;
  }
  for (let i = (heap.length >>> 1) - 1; i >= 0; i -= 1) sink(heap, i);
  let last: Entry | undefined;
  for (;;) {
    const top = heap[0];
    if (top === undefined || top.head.created_at < since) return;
    // One entry in several lists comes out in a row, since the order is total.
    if (top.head !== last) {
      last = top.head;
      if (!visit(last)) return;
    }
    top.at -= 1;
    const next = top.list[top.at];
    if (next !== undefined) top.head = next;
    else {
      const moved = heap.pop()!;
      if (moved !== top) heap[0] = moved;
    }
    sink(heap, 0);
  }
}

function walkOne(cursor: Cursor, since: number, visit: (entry: Entry) => boolean): void {
  for (let at = cursor.at; at >= 0; at -= 1) {
    const entry = cursor.list[at]!;
    if (entry.created_at < since || !visit(entry)) return;
  }
}

/** Restores the heap (newest on top) below one place. */
function sink(heap: Cursor[], from: number): void {
  const item = heap[from];
  if (item === undefined) return;
  let at = from;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    const right = child + 1;
    if (right < heap.length && compareEvents(heap[right]!.head, heap[child]!.head) < 0) {
      child = right;
    }
    if (compareEvents(item.head, heap[child]!.head) <= 0) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = item;
}
