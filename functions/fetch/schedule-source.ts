/** What is known of a source's past. The database keeps it with the source. */
export interface Standing {
  /** Moving average of new events a request. */
  readonly newPerRequest: number;
  /** Moving average of the share of runs that succeeded, 0 to 1. */
  readonly uptime: number;
  readonly failuresInRow: number;
}

/** What one visit brought. */
export interface Visit {
  readonly requests: number;
  /** Events that we did not have. */
  readonly newEvents: number;
  readonly failed: boolean;
  /** True where its bounds ended the run and there is more to fetch. */
  readonly unfinished: boolean;
  /** True where our own side failed: no fault of the source, and no reason to hurry back. */
  readonly ours?: boolean;
}

export interface SourceSchedule {
  readonly standing: Standing;
  readonly nextInSeconds: number;
}

/** As often as the scheduler comes round. */
export const INTERVAL_SECONDS_MIN = 60;
/** A healthy source that has nothing new is still asked each hour: quiet authors speak, too. */
export const INTERVAL_SECONDS_MAX = 3_600;
/** The back-off after failures doubles from a minute up to this. */
export const BACKOFF_SECONDS_MAX = 86_400;
/** Whoever has failed this often in a row, two weeks of them day by day, is asked once a week. */
export const DEAD_FAILURES = 25;
export const DEAD_SECONDS = 7 * 86_400;
/** So many failures of our own in a row make the longest pause for them, an hour or so. */
const OWN_FAILURES_MAX = 7;
/** Weight of the newest visit in the averages: about the last ten count. */
const WEIGHT = 0.2;
/** A source that is mostly down is not asked more than so many times more rarely while it is up. */
const UPTIME_MIN = 0.1;
/** Sources that were added together drift apart: an interval is up to a tenth longer or shorter. */
const JITTER_SHARE = 0.1;

/**
 * What a visit makes of a source's standing, and when the next one is due: the sooner the more new
 * events a request brings and the more reliably it answers; after failures ever later.
 * @param jitter chance, from 0 to 1.
 */
export function scheduleSource(before: Standing, visit: Visit, jitter: number): SourceSchedule {
  if (visit.ours === true) return afterOwnFailure(before, jitter);
  const failuresInRow = visit.failed ? before.failuresInRow + 1 : 0;
  // A failed visit without a request says nothing about what the source has.
  const newPerRequest =
    visit.requests === 0
      ? before.newPerRequest
      : average(before.newPerRequest, visit.newEvents / visit.requests);
  const uptime = average(before.uptime, visit.failed ? 0 : 1);
  const standing = { newPerRequest, uptime, failuresInRow };
  const seconds = visit.failed
    ? backOffSeconds(failuresInRow)
    : intervalSeconds(standing, visit.unfinished);
  return { standing, nextInSeconds: spread(seconds, jitter) };
}

/** Backs off as after a failure, and holds nothing against the source. */
function afterOwnFailure(before: Standing, jitter: number): SourceSchedule {
  const failuresInRow = Math.max(
    before.failuresInRow,
    Math.min(before.failuresInRow + 1, OWN_FAILURES_MAX),
  );
  const seconds = Math.min(backOffSeconds(failuresInRow), INTERVAL_SECONDS_MAX);
  return { standing: { ...before, failuresInRow }, nextInSeconds: spread(seconds, jitter) };
}

function spread(seconds: number, jitter: number): number {
  const share = 1 + JITTER_SHARE * (2 * jitter - 1);
  return Math.max(INTERVAL_SECONDS_MIN, Math.round(seconds * share));
}

const average = (before: number, now: number): number => before + WEIGHT * (now - before);

function intervalSeconds({ newPerRequest, uptime }: Standing, unfinished: boolean): number {
  if (unfinished) return INTERVAL_SECONDS_MIN;
  const byYield = INTERVAL_SECONDS_MAX / (1 + newPerRequest);
  return Math.min(byYield / Math.max(uptime, UPTIME_MIN), BACKOFF_SECONDS_MAX);
}

function backOffSeconds(failuresInRow: number): number {
  if (failuresInRow >= DEAD_FAILURES) return DEAD_SECONDS;
  return Math.min(INTERVAL_SECONDS_MIN * 2 ** (failuresInRow - 1), BACKOFF_SECONDS_MAX);
}
