/** Seconds of created_at, both ends included. */
export interface Range {
  readonly since: number;
  readonly until: number;
}

/** The same seconds as ranges that are disjoint and apart, oldest first; empty ones are left out. */
export function mergeRanges(ranges: Iterable<Range>): Range[] {
  const sorted = [...ranges]
    .filter(({ since, until }) => since <= until)
    .sort((a, b) => a.since - b.since);
  const merged: { since: number; until: number }[] = [];
  for (const { since, until } of sorted) {
    const last = merged.at(-1);
    // Beyond 2^53 the second after is the same number; the range then reaches the end anyway.
    if (last !== undefined && since <= last.until + 1) last.until = Math.max(last.until, until);
    else merged.push({ since, until });
  }
  return merged;
}

/** The seconds of a window that are not covered, as ranges, newest first. */
export function missingRanges(covered: Iterable<Range>, window: Range): Range[] {
  const missing: Range[] = [];
  let until = window.until;
  for (const range of mergeRanges(covered).reverse()) {
    if (range.since > until) continue;
    if (range.until < window.since) break;
    if (range.until < until) missing.push({ since: range.until + 1, until });
    until = range.since - 1;
  }
  if (window.since <= until) missing.push({ since: window.since, until });
  return missing;
}

/** The newest `seconds` of the newest gap: what to fetch next. Undefined where nothing is missing. */
export function nextSlice(gaps: readonly Range[], seconds: number): Range | undefined {
  const newest = gaps[0];
  if (newest === undefined) return undefined;
  return { since: Math.max(newest.since, newest.until - seconds + 1), until: newest.until };
}

/** A slice before the first measure: an hour holds some pages of a large relay. */
export const SLICE_SECONDS_FIRST = 3_600;
/** With an empty relay it takes seven slices to get here from the first one, and three to 1970. */
export const SLICE_SECONDS_MAX = 20 * 365 * 86_400;
/** One slice says little about the next: steps are bounded both ways. */
const STEP_MAX = 8;

/**
 * How long the next slice should be to hold about `wanted` events, going by the last one of
 * `seconds` that held `events`. At least one second, which is as finely as relays can be asked.
 */
export function nextSliceSeconds(seconds: number, events: number, wanted: number): number {
  const step = events === 0 ? STEP_MAX : wanted / events;
  const bounded = Math.min(Math.max(step, 1 / STEP_MAX), STEP_MAX);
  return Math.min(Math.max(1, Math.round(seconds * bounded)), SLICE_SECONDS_MAX);
}
