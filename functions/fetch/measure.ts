import type { Log } from '../cloud/log.ts';
import type { Coverage } from '../database/coverage.ts';
import type { Source } from '../database/sources.ts';
import type { Filter } from '../nostr/filter.ts';
import { filterKey } from '../nostr/filter-key.ts';
import type { Connection } from '../upstream/connection.ts';
import { reasonOf, UpstreamFailure } from '../upstream/failure.ts';
import { type CoveragePorts, measureCoverage, type Question } from './coverage.ts';
import type { Range } from './ranges.ts';

/** What measuring reaches of the world. */
export interface MeasurePorts extends CoveragePorts {
  connect(source: Source, signal: AbortSignal): Promise<Connection>;
  append(coverage: Coverage): Promise<void>;
  /** Takes a range back, so that the next visit fetches it again. */
  uncover(range: Range & { readonly source: number; readonly filterKey: string }): Promise<void>;
  /** Covered seconds of a source for a filter, oldest first. */
  covered(source: number, filterKey: string): Promise<readonly Range[]>;
  /** When a filter of a source was measured last: Unix milliseconds. */
  lastMeasuredAt(source: number, filterKey: string): Promise<number | undefined>;
  readonly log: Log;
}

export interface MeasureLimits {
  readonly pieceMs: number;
  readonly sinceSeconds: number;
  readonly overlapSeconds: number;
}

const HOUR_MS = 3_600_000;

/**
 * Measures those filters of a source whose last figure is older than so many hours (0: none by
 * themselves), or than an operator's wish for one, and which have been fetched whole. What is
 * missing is taken back from the covered ranges, so that the next visit fetches it.
 * @returns the figures; none of a filter where the source does not answer.
 */
export async function measureDue(
  source: Source,
  ports: MeasurePorts,
  limits: MeasureLimits,
  hours: number,
  lost: AbortSignal,
): Promise<readonly Coverage[]> {
  if (source.direction === 'up') return [];
  const due: { filter: Filter; window: Range }[] = [];
  for (const filter of source.filters) {
    const window = await settledWindow(source, filter, ports, limits);
    if (window !== undefined && (await isDue(source, filter, ports, hours))) {
      due.push({ filter, window });
    }
  }
  if (due.length === 0) return [];
  const signal = AbortSignal.any([AbortSignal.timeout(limits.pieceMs), lost]);
  const figures: Coverage[] = [];
  let connection: Connection | undefined;
  try {
    connection = await ports.connect(source, signal);
    signal.addEventListener('abort', () => void connection?.close(), { once: true });
    for (const { filter, window } of due) {
      figures.push(await measure(connection, { source, filter, window, signal }, ports));
    }
  } catch (error) {
    if (!(error instanceof UpstreamFailure) && !signal.aborted) throw error;
    ports.log.warning('coverage could not be measured', {
      source: source.url,
      reason: reasonOf(error),
    });
  } finally {
    await connection?.close();
  }
  return figures;
}

async function measure(
  connection: Connection,
  question: Question,
  ports: MeasurePorts,
): Promise<Coverage> {
  const { incomplete, ...coverage } = await measureCoverage(connection, question, ports);
  await ports.append(coverage);
  for (const range of incomplete) {
    await ports.uncover({ source: coverage.source, filterKey: coverage.filterKey, ...range });
  }
  ports.log.info('coverage measured', { url: question.source.url, ...coverage });
  return coverage;
}

async function isDue(
  source: Source,
  filter: Filter,
  ports: MeasurePorts,
  hours: number,
): Promise<boolean> {
  const askedAt = source.measureAskedAt?.getTime() ?? Number.NEGATIVE_INFINITY;
  const last = await ports.lastMeasuredAt(source.id, filterKey(filter));
  if (last === undefined) return hours > 0 || askedAt > 0;
  return last < askedAt || (hours > 0 && ports.nowMs() - last >= hours * HOUR_MS);
}

/** What is covered without a gap, but for the newest seconds, whose events may be on their way. */
async function settledWindow(
  source: Source,
  filter: Filter,
  ports: MeasurePorts,
  { sinceSeconds, overlapSeconds }: MeasureLimits,
): Promise<Range | undefined> {
  const covered = await ports.covered(source.id, filterKey(filter));
  const [only] = covered;
  if (covered.length !== 1 || only === undefined || only.since > sinceSeconds) return undefined;
  const until = only.until - overlapSeconds;
  return until < sinceSeconds ? undefined : { since: sinceSeconds, until };
}
