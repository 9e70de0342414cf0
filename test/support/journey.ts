import { Journey } from '../../functions/cloud/journey.ts';
import type { Log } from '../../functions/cloud/log.ts';
import { silentLog } from './pubsub.ts';

/** Follows no event and says nothing. */
export const quietJourney = journeyInto(silentLog, 0);

/** Follows this share of the events, in a second that never ends. */
export function journeyInto(log: Log, share: number): Journey {
  return new Journey({ log, share, monotonicMs: () => 0 });
}
