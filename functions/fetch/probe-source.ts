import type { Log } from '../cloud/log.ts';
import type { Source } from '../database/sources.ts';
import type { ProbeReport } from '../upstream/probe.ts';
import { PROBE_MS_MAX } from './limits.ts';

/** What probing a candidate reaches of the world. */
export interface ProbePorts {
  /** Visits a source once. Never rejects. */
  probe(source: Source, signal: AbortSignal): Promise<ProbeReport>;
  noteProbe(sourceId: number, found: ProbeReport): Promise<void>;
  readonly log: Log;
}

/**
 * A candidate's piece of work: one look at what it says of itself, how fast it opens and reads, and
 * whether it speaks NIP-77. Nothing that it gives is kept; fetching is for an operator to begin.
 * @param lost says that another piece has taken the source.
 */
export async function probeSource(
  source: Source,
  ports: ProbePorts,
  lost: AbortSignal,
): Promise<ProbeReport> {
  const found = await ports.probe(
    source,
    AbortSignal.any([AbortSignal.timeout(PROBE_MS_MAX), lost]),
  );
  lost.throwIfAborted();
  await ports.noteProbe(source.id, found);
  const { openMs, readMs, negentropy, failure } = found;
  ports.log.info('candidate probed', { source: source.url, openMs, readMs, negentropy, failure });
  return found;
}
