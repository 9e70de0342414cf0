import { limits } from './limits.ts';
import type { Point } from './series.ts';

/**
 * What is kept of a series' points, oldest first: all of the newest, one of each minute of those
 * before, fewer still of the oldest, none past a day. The last of a stretch is the one that stays,
 * and the last before a reset always does, so that what was added up is not lost.
 */
export function thin(points: readonly Point[], nowMs: number): Point[] {
  const kept: Point[] = [];
  for (const [index, point] of points.entries()) {
    const next = points[index + 1];
    if (point.endMs < nowMs - limits.keptMsMax) continue;
    if (next === undefined || isReset(point, next)) {
      kept.push(point);
      continue;
    }
    const oneInMs = stretchOf(point, nowMs);
    const sameStretch =
      oneInMs !== undefined &&
      Math.floor(point.endMs / oneInMs) === Math.floor(next.endMs / oneInMs);
    if (!sameStretch) kept.push(point);
  }
  return kept;
}

/** A gauge begins anew with each point, and nothing adds up. */
function isReset(point: Point, next: Point): boolean {
  return point.startMs < point.endMs && next.startMs !== point.startMs;
}

function stretchOf({ endMs }: Point, nowMs: number): number | undefined {
  return limits.thinning.findLast(({ olderThanMs }) => endMs < nowMs - olderThanMs)?.oneInMs;
}
