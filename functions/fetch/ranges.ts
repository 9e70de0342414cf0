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

/** What to try where a range is too much at once: its newest quarter, one second at least. */
export function newerPart({ since, until }: Range): Range {
  return { since: until - Math.floor((until - since) / 4), until };
}
