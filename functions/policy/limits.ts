/** What bounds an event that a client wants to store. */
export interface WriteLimits {
  /** UTF-8 bytes of the event's text. */
  readonly eventBytesMax: number;
  /** Unicode characters of the content, as NIP-11 counts them. */
  readonly contentCharactersMax: number;
  /** The same for replaceable and addressable events. */
  readonly contentCharactersLongMax: number;
  readonly tagsMax: number;
  /** The same for replaceable and addressable events. */
  readonly tagsLongMax: number;
  /** How far `created_at` may lie ahead of the clock. */
  readonly createdAtFutureSecondsMax: number;
  /** How far `created_at` may lie behind the clock; 0 means any age. */
  readonly createdAtPastSecondsMax: number;
  /** The same for ephemeral events. */
  readonly ephemeralPastSecondsMax: number;
}

export const DEFAULT_WRITE_LIMITS: WriteLimits = {
  // A follow list of 3,600 people; forty such events still fit one request to Pub/Sub (10 MB).
  eventBytesMax: 262_144,
  // What the strictest of the large relays take, so a note that we take can travel on.
  contentCharactersMax: 65_536,
  // Articles and encrypted lists are one event each and cannot be cut in two.
  contentCharactersLongMax: 262_144,
  // More tags than any honest note has; each one-letter tag costs an index row.
  tagsMax: 2_000,
  // People follow thousands, and the list of them is one event.
  tagsLongMax: 5_000,
  // Clocks of phones are wrong by minutes, seldom by more; later dates would stay on top for long.
  createdAtFutureSecondsMax: 900,
  // Imports and aggregation bring old events, and these are worth as much as new ones.
  createdAtPastSecondsMax: 0,
  // Nobody can fetch an ephemeral event later, so an old one is a replay.
  ephemeralPastSecondsMax: 60,
};

/** How often something may happen: `perSecond` in the long run, `burst` at once after a rest. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** Rates by address and by public key. */
export interface RateLimits {
  /** EVENT messages from one address. */
  readonly eventsByAddress: Rate;
  /** Events signed by one public key. */
  readonly eventsByKey: Rate;
  /** Replaceable and addressable events signed by one public key. */
  readonly versionsByKey: Rate;
  /** REQ and COUNT messages from one address. */
  readonly requestsByAddress: Rate;
}

export const DEFAULT_RATE_LIMITS: RateLimits = {
  // A client that sends what it wrote offline bursts; nobody writes ten notes a second for long.
  eventsByAddress: { perSecond: 10, burst: 50 },
  // Two a second: reactions by hand come in at most that fast.
  eventsByKey: { perSecond: 2, burst: 120 },
  // Each version throws the last one away, so a stream of them is work for nothing.
  versionsByKey: { perSecond: 0.5, burst: 30 },
  // A client that opens a screen asks dozens of questions at once, then a few.
  requestsByAddress: { perSecond: 20, burst: 100 },
};

/** Keys that one limiter remembers: about 100 bytes each, so ten megabytes at most. */
export const RATE_KEYS_MAX = 100_000;
