import type { RecentEvents } from '../database/sources.ts';
import { INVALID_JUDGED_FROM, INVALID_SHARE_MAX } from './limits.ts';

/**
 * Why a source is to be quarantined: for what it sent on one visit, or on the last ones together,
 * since few at a time are soon many. Undefined where there is no reason.
 */
export function invalidReason(visit: RecentEvents, recent: RecentEvents): string | undefined {
  const what = 'events were invalid or not what was asked for';
  if (isTooMuch(visit)) return `${visit.invalid} of ${visit.seen} ${what}`;
  if (!isTooMuch(recent)) return undefined;
  return `about ${Math.round(recent.invalid)} of the last ${Math.round(recent.seen)} ${what}`;
}

const isTooMuch = ({ seen, invalid }: RecentEvents): boolean =>
  invalid >= INVALID_JUDGED_FROM && invalid > INVALID_SHARE_MAX * seen;
