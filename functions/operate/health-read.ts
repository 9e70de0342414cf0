import { grown, grownTogether, percentile } from './health-series.ts';
import type { SeriesReader } from './time-series.ts';

/** Reasons of failures that are ours, of relay and store. */
export const OURS: ReadonlySet<string> = new Set([
  'error',
  'unpublished',
  'unavailable',
  'poison',
  // Of store: a relay had taken it, and that the two disagree is no client's fault.
  'refused',
  'unreadable',
]);

const DELAY_SHARE = 0.95;

/** What one revision did since a moment. */
export interface Health {
  readonly revision: string;
  readonly succeeded: number;
  /** Through our fault. */
  readonly failed: number;
  /** Pieces of work that the delay is of. */
  readonly timed: number;
  /** 95 % were answered within this; undefined where there were none. */
  readonly delayMs: number | undefined;
  /** Whether its instances are heard at all. */
  readonly writes: boolean;
}

/** Reads what the instances of a revision wrote. */
export async function readHealth(
  revision: string,
  sinceMs: number,
  nowMs: number,
  reader: SeriesReader,
): Promise<Health> {
  const read = (metric: Parameters<SeriesReader['read']>[0]) =>
    reader.read(metric, revision, sinceMs, nowMs);
  const [successes, failures, durations, connections] = [
    await read('success_total'),
    await read('fail_total'),
    await read('process_duration'),
    await read('websocket_connections'),
  ];
  // What store does takes as long as its batch is large; clients wait for the relay only.
  const delays = revision.startsWith('relay-')
    ? [grownTogether(durations, sinceMs), grownTogether(await read('query_duration'), sinceMs)]
    : [];
  const percentiles = delays.map((delay) => percentile(delay, DELAY_SHARE) ?? 0);
  const timed = delays.flatMap(({ counts }) => counts).reduce((sum, count) => sum + count, 0);
  const sum = (series: typeof successes) =>
    series.reduce((total, one) => total + grown(one, sinceMs), 0);
  return {
    revision,
    succeeded: sum(successes),
    failed: sum(failures.filter(({ metric }) => OURS.has(metric?.labels?.['reason'] ?? ''))),
    timed,
    delayMs: timed === 0 ? undefined : Math.max(...percentiles),
    writes: successes.length + durations.length + connections.length > 0,
  };
}
