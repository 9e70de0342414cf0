import { compareEvents } from '../nostr/event.ts';
import type { Entry } from './entry.ts';

/**
 * Entries in the reverse of NIP-01's order of answers (oldest first, ties by highest id), so
 * that the usual insertion, of something new, is a push.
 */
export type OrderedList = Entry[];

/** Where the entry stands, or would stand. */
function place(list: OrderedList, entry: Pick<Entry, 'created_at' | 'id'>): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareEvents(list[middle]!, entry) > 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Puts an entry in its place, once. */
export function insertOrdered(list: OrderedList, entry: Entry): void {
  const last = list.at(-1);
  if (last === undefined || compareEvents(last, entry) > 0) {
    list.push(entry);
    return;
  }
  const at = place(list, entry);
  if (list[at]?.id !== entry.id) list.splice(at, 0, entry);
}

/** Takes an entry out, if it is there. */
export function removeOrdered(list: OrderedList, entry: Entry): void {
  const at = place(list, entry);
  if (list[at]?.id === entry.id) list.splice(at, 1);
}

/** Index of the newest entry with `created_at` ≤ `until`; -1 where there is none. */
export function newestUntil(list: OrderedList, until: number | undefined): number {
  if (until === undefined) return list.length - 1;
  const last = list.at(-1);
  if (last !== undefined && last.created_at <= until) return list.length - 1;
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle]!.created_at <= until) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
