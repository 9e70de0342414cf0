import { KIND_DELETION, KIND_VANISH } from '../nostr/kinds.ts';
import { plainArray } from './array.ts';
import type { BatchEvent } from './batch.ts';

/** First half of the advisory locks' numbers, "DIST", so that nobody else's are in the way. */
export const LOCK_CLASS = 0x44495354;

/** Which of the 256 buckets an author falls into. */
export const bucketOf = (author: string): number => Number.parseInt(author.slice(0, 2), 16);

/**
 * The buckets that a batch must have for itself: those of authors who delete something in it.
 * An event and its deletion can so never be in two transactions at the same time.
 */
export function exclusiveBuckets(events: readonly BatchEvent[]): Set<number> {
  const buckets = new Set<number>();
  for (const { event, author } of events) {
    if (event.kind === KIND_DELETION || event.kind === KIND_VANISH) buckets.add(bucketOf(author));
  }
  return buckets;
}

/**
 * SQL that takes the locks of a batch until the end of its transaction, in one order for all, so
 * that two batches never wait for each other.
 */
export function lockStatement(
  events: readonly BatchEvent[],
  exclusive: ReadonlySet<number>,
): string {
  const buckets = [...new Set(events.map(({ author }) => bucketOf(author)))].sort((a, b) => a - b);
  const alone = buckets.map((bucket) => (exclusive.has(bucket) ? 't' : 'f'));
  return `select case when alone
      then pg_advisory_xact_lock(${LOCK_CLASS}, bucket)::text
      else pg_advisory_xact_lock_shared(${LOCK_CLASS}, bucket)::text end
    from unnest('${plainArray(buckets)}'::int[], '${plainArray(alone)}'::bool[])
      as given(bucket, alone)`;
}
