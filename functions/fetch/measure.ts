import type { Log } from '../cloud/log.ts';
import type { Coverage } from '../database/coverage.ts';
import type { Source } from '../database/sources.ts';
import { filterKey } from '../nostr/filter-key.ts';
import type { Connection } from '../upstream/connection.ts';
import { reasonOf, UpstreamFailure } from '../upstream/failure.ts';
import { type CoveragePorts, measureCoverage } from './coverage.ts';
import type { Range } from './ranges.ts';

/** What measuring reaches of the world. */
export interface MeasurePorts extends CoveragePorts {
  connect(source: Source, signal: AbortSignal): Promise<Connection>;
  append(coverage: Coverage): Promise<void>;
  /** Takes a range back, so that the next visit fetches it again. */
  uncover(range: Range & { readonly source: number; readonly filterKey: string }): Promise<void>;
  /** When a filter of a source was measured last: Unix milliseconds. */
  lastMeasuredAt(source: number, filterKey: string): Promise<number | undefined>;
  readonly log: Log;
}

export interface MeasureLimits {
  readonly pieceMs: number;
  readonly sinceSeconds: number;
}

const HOUR_MS = 3_600_000;

/**
 * Measures those filters of a source whose last figure is older than so many hours (0: none by
 * themselves), or than an operator's wish for one.
 */
export async function measureDue(
  source: Source,
  ports: MeasurePorts,
  limits: MeasureLimits,
  hours: number,
): Promise<void> {
  if (source.direction === 'up') return;
  const askedAt = source.measureAskedAt?.getTime() ?? Number.NEGATIVE_INFINITY;
  const before = hours === 0 ? Number.NEGATIVE_INFINITY : ports.nowMs() - hours * HOUR_MS;
  for (const filter of source.filters) {
    const last = await ports.lastMeasuredAt(source.id, filterKey(filter));
    const due = last === undefined ? hours > 0 : last < before;
    if (!due && (last ?? 0) >= askedAt) continue;
    await measureSource({ ...source, filters: [filter] }, ports, limits);
  }
}

/**
 * Measures the coverage of each filter of a source, adds it to the series, and has what is missing
 * fetched again by the next visit. A source that does not answer gives no figure.
 */
export async function measureSource(
  source: Source,
  ports: MeasurePorts,
  { pieceMs, sinceSeconds }: MeasureLimits,
): Promise<readonly Coverage[]> {
  const signal = AbortSignal.timeout(pieceMs);
  const window = { since: sinceSeconds, until: Math.floor(ports.nowMs() / 1_000) };
  const figures: Coverage[] = [];
  let connection: Connection | undefined;
  try {
    connection = await ports.connect(source, signal);
    for (const filter of source.filters) {
      const question = { source, filter, window, signal };
      const { incomplete, ...coverage } = await measureCoverage(connection, question, ports);
      await ports.append(coverage);
      for (const range of incomplete) {
        await ports.uncover({ source: source.id, filterKey: coverage.filterKey, ...range });
      }
      ports.log.info('coverage measured', { url: source.url, ...coverage });
      figures.push(coverage);
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
