/** What one visit may take of a source, below what every visit is bounded by. */
export interface SourceLimits {
  readonly requestsMax?: number;
  readonly eventsMax?: number;
  readonly bytesMax?: number;
  readonly secondsMax?: number;
}

interface Allowed {
  readonly least: number;
  readonly most: number;
}

/**
 * What such a limit may be, for one source and for all of them alike. With less than the least a
 * visit may not come as far as to note anything, and would begin anew each time.
 */
export const ALLOWED_LIMITS: Readonly<Record<keyof Required<SourceLimits>, Allowed>> = {
  eventsMax: { least: 100, most: 10_000_000 },
  bytesMax: { least: 1_000_000, most: 10_000_000_000 },
  requestsMax: { least: 10, most: 100_000 },
  // Below the deadline of a push.
  secondsMax: { least: 5, most: 240 },
};
