import type { Log } from '../cloud/log.ts';
import type { Metrics } from '../cloud/metrics/registry.ts';

/** A piece of scheduled work. */
export interface Job {
  readonly name: string;
  /** Whose work it is, where several jobs must not run beside each other; the name by default. */
  readonly lease?: string;
  /** Longer than this and it is told to stop; what it did by then stays done. */
  readonly deadlineMs: number;
  /** @returns what it did, as counts for the log. */
  run(signal: AbortSignal): Promise<Readonly<Record<string, number>>>;
}

/** Lets one caller at a time do a piece of work; undefined when another one is at it. */
export type Leasing = <T>(
  name: string,
  work: (lost: AbortSignal) => Promise<T>,
) => Promise<T | undefined>;

export interface JobReport {
  readonly name: string;
  readonly result: 'done' | 'failed' | 'busy';
  readonly counts?: Readonly<Record<string, number>>;
}

/**
 * Does the jobs one after the other, each under its lease and within its deadline. One that fails
 * is logged and does not keep the others from their turn. Never rejects.
 */
export async function runJobs(
  jobs: readonly Job[],
  leasing: Leasing,
  log: Log,
  metrics: Metrics,
): Promise<readonly JobReport[]> {
  const success = metrics.counter('success_total', {});
  const failed = metrics.counter('fail_total', { reason: 'job' });
  const duration = metrics.distribution('process_duration', {});
  const reports: JobReport[] = [];
  for (const job of jobs) {
    const beganMs = performance.now();
    const report = await runJob(job, leasing, log);
    reports.push(report);
    // One that another call is at is counted there.
    if (report.result === 'busy') continue;
    duration.record(performance.now() - beganMs);
    (report.result === 'done' ? success : failed).add();
  }
  return reports;
}

async function runJob(job: Job, leasing: Leasing, log: Log): Promise<JobReport> {
  const { name, deadlineMs } = job;
  try {
    const counts = await leasing(job.lease ?? name, (lost) =>
      job.run(AbortSignal.any([AbortSignal.timeout(deadlineMs), lost])),
    );
    if (counts === undefined) return { name, result: 'busy' };
    const didSomething = Object.values(counts).some((count) => count > 0);
    log[didSomething ? 'info' : 'debug'](`${name} done`, counts);
    return { name, result: 'done', counts };
  } catch (error) {
    log.error(`${name} failed`, { error });
    return { name, result: 'failed' };
  }
}
