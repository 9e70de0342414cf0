import type { UpstreamFailure } from '../upstream/failure.ts';
import type { Range } from './ranges.ts';

/** What one step at a range has come to. */
export interface Step {
  /** What is whole now, newest first. */
  readonly whole: readonly Range[];
  /** What is left of the range, newest first; absent where the same is to be tried again. */
  readonly left?: readonly Range[];
  readonly failure?: UpstreamFailure;
  /** Comparing is no way to go on: page for the rest of the visit. */
  readonly page?: boolean;
}

/** The parts of a range that lie on both sides of another within it, newest first. */
export function around(range: Range, inner: Range): Range[] {
  const newer = { since: inner.until + 1, until: range.until };
  const older = { since: range.since, until: inner.since - 1 };
  return [newer, older].filter(({ since, until }) => since <= until);
}

export const secondsOf = ({ since, until }: Range): number => until - since + 1;

/** The newest so many seconds of a range. */
export function newest(range: Range, seconds: number): Range {
  if (secondsOf(range) <= seconds) return range;
  return { since: range.until - seconds + 1, until: range.until };
}
