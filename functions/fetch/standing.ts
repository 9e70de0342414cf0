import type { Metrics } from '../cloud/metrics/registry.ts';
import type { NewestCoverage } from '../database/coverage.ts';
import type { Source } from '../database/sources.ts';
import { filterKey } from '../nostr/filter-key.ts';
import { DEAD_FAILURES } from './schedule-source.ts';

type Standing = 'active' | 'failing' | 'dead' | 'paused' | 'quarantined';
type Known = Pick<Source, 'state' | 'standing'>;

/** How many sources stand in which way; removed ones in none. */
export function countStandings(sources: readonly Known[]): Readonly<Record<Standing, number>> {
  const counts = { active: 0, failing: 0, dead: 0, paused: 0, quarantined: 0 };
  for (const { state, standing } of sources) {
    if (state === 'removed') continue;
    if (state !== 'active') counts[state] += 1;
    else if (standing.failuresInRow >= DEAD_FAILURES) counts.dead += 1;
    else if (standing.failuresInRow > 0) counts.failing += 1;
    else counts.active += 1;
  }
  return counts;
}

/** The source that we hold least of, and all of them together; undefined where nothing is measured. */
export function summarizeCoverage(
  measured: readonly NewestCoverage[],
): { readonly lowest: number; readonly together: number } | undefined {
  let lowest = Number.POSITIVE_INFINITY;
  let theirs = 0;
  let held = 0;
  for (const one of measured) {
    // Of nothing we hold all, and it says nothing.
    if (one.theirs === 0) continue;
    theirs += one.theirs;
    held += one.held;
    lowest = Math.min(lowest, one.held / one.theirs);
  }
  return theirs === 0 ? undefined : { lowest, together: held / theirs };
}

/** Has the standing of all sources written, and how much of theirs we hold. */
export async function measureStanding(
  sources: readonly Source[],
  newest: (
    wanted: readonly { readonly source: number; readonly filterKey: string }[],
  ) => Promise<readonly NewestCoverage[]>,
  metrics: Metrics,
): Promise<void> {
  for (const [state, count] of Object.entries(countStandings(sources))) {
    metrics.gauge('fetch_sources', { state: state as Standing }).set(count);
  }
  const wanted = sources
    .filter(({ state, direction }) => state === 'active' && direction !== 'up')
    .flatMap(({ id, filters }) =>
      filters.map((filter) => ({ source: id, filterKey: filterKey(filter) })),
    );
  const coverage = summarizeCoverage(await newest(wanted));
  if (coverage === undefined) return;
  metrics.gauge('fetch_coverage', { statistic: 'lowest' }).set(coverage.lowest);
  metrics.gauge('fetch_coverage', { statistic: 'together' }).set(coverage.together);
}
