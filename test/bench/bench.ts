import type { NostrEvent } from '../../functions/nostr/event.ts';
import type { BenchData } from './data.ts';
import { cpuBetween, measureParts, type UsageByPart } from './processes.ts';
import { rounded } from './statistics.ts';

/** Figures of a phase by what they say, in the order of the table; null where nothing came. */
export type Figures = Record<string, number | string | null>;

/** How much of everything. */
export interface Scale {
  readonly events: number;
  readonly liveNotes: number;
  readonly readAfterWrites: number;
  readonly querySeconds: number;
  readonly subscribers: number;
  readonly steadySeconds: number;
  readonly burst: number;
  readonly idleConnections: number;
}

/** What every phase works with. */
export interface Bench {
  /** Instances; events are published to the first, the last is "the other one". */
  readonly urls: readonly string[];
  readonly data: BenchData;
  readonly seed: number;
  readonly scale: Scale;
  /** The system's database, where the bench started it. */
  readonly databaseUrl: string | undefined;
  /** The system's data folder, where the bench started it. */
  readonly directory: string | undefined;
  /** Process ids of the system's parts; empty where somebody else started it. */
  pids(): ReadonlyMap<string, number>;
  /** What got OK true in the ingest phase. */
  acknowledged: readonly NostrEvent[];
}

export function instancesOf(bench: Bench): { first: string; other: string } {
  const [first] = bench.urls;
  const other = bench.urls.at(-1);
  if (first === undefined || other === undefined) throw new Error('no instance to measure');
  return { first, other };
}

/** CPU of each part for one unit of work, in microseconds. */
export function cpuFigures(
  before: UsageByPart,
  after: UsageByPart,
  units: number,
  label: string,
): Figures {
  const figures: Figures = {};
  if (after.size === 0) return figures;
  const { byPart, total } = cpuBetween(before, after);
  for (const [part, seconds] of [...byPart, ['total', total] as const]) {
    const microseconds = (seconds * 1e6) / Math.max(1, units);
    if (part === 'total' || microseconds >= 1) {
      figures[`CPU µs/${label}, ${part}`] = rounded(microseconds);
    }
  }
  return figures;
}

export const measure = (bench: Bench): UsageByPart => measureParts(bench.pids());
