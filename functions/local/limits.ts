/** Every number that bounds something on one machine, with the reason for it. */

/** Relay instances on one machine: more than this measures the machine, not Distrise. */
export const relaysMax = 16;

/** A part that was ready and died comes back after this: Cloud Run, too, restarts at once. */
export const restartMs = 100;

/** A part that keeps dying before it is ready waits twice as long each time, up to this. */
export const restartMsMax = 10_000;

/** Deaths before the first readiness after which the start gives up and shows why. */
export const firstStartFailuresMax = 4;

/** Time a part has to say that it is ready; five Node processes share two cores at start. */
export const readyMsMax = 60_000;

/** PostgreSQL may have to replay its log first, and must not be killed for that. */
export const postgresReadyMsMax = 600_000;

/** The stop of everything stays under 10 s: the waits below add up to 9.5 s. */
export const stopRelayMs = 6_000;
export const stopFunctionMs = 500;
export const stopPubSubMs = 1_000;
/** Then an immediate shutdown: the next start replays the log, nothing is lost. */
export const stopPostgresMs = 1_500;
export const stopPostgresImmediateMs = 500;

/**
 * What the guard allows after the supervisor's death before it uses force. Short, since the parts
 * then lose each other at once and could only wait in vain for an orderly end.
 */
export const orphanMs = 2_000;
export const orphanPostgresFastMs = 3_000;
export const orphanPostgresImmediateMs = 1_000;

/** What the next start allows to a process left over, before it uses force. */
export const leftoverMs = 3_000;
export const leftoverPostgresMs = 20_000;

/** A log file is put aside (once: NAME.log.1) at this size, so that a folder stays small. */
export const logBytesMax = 10 * 1024 * 1024;

/** Longest line taken from a part; the rest of it becomes a line of its own. */
export const lineCharactersMax = 64 * 1024;

/** Lines of a part's last output that are shown when it will not start. */
export const tailLines = 20;

/** Below the range that Linux and macOS take ports of outgoing connections from. */
export const portRange = { from: 20_000, to: 32_767 };

/** Like the Cloud Scheduler job: every minute, with its default deadline of three minutes. */
export const scheduleMs = 60_000;
export const scheduleDeadlineMs = 180_000;
