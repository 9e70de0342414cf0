import type { Log } from '../cloud/log.ts';

/** A piece of scheduled work. */
export interface Job {
  readonly name: string;
  /** Longer than this and it is told to stop; what it did by then stays done. */
  readonly deadlineMs: number;
  /** @returns what it did, as counts for the log. */
  run(signal: AbortSignal): Promise<Readonly<Record<string, number>>>;
}

/** Lets one caller at a time do a job; undefined when another one is at it. */
export type Leasing = (
  name: string,
  seconds: number,
) => Promise<{ release(): Promise<void> } | undefined>;

export interface JobReport {
  readonly name: string;
  readonly result: 'done' | 'failed' | 'busy';
  readonly counts?: Readonly<Record<string, number>>;
}

/** A lease outlives the job's deadline by this, so that a slow end does not overlap. */
const LEASE_MARGIN_S = 30;

/**
 * Does the jobs one after the other, each under its lease and within its deadline. One that fails
 * is logged and does not keep the others from their turn. Never rejects.
 */
export async function runJobs(
  jobs: readonly Job[],
  leasing: Leasing,
  log: Log,
): Promise<readonly JobReport[]> {
  const reports: JobReport[] = [];
  for (const job of jobs) reports.push(await runJob(job, leasing, log));
  return reports;
}

async function runJob(job: Job, leasing: Leasing, log: Log): Promise<JobReport> {
  const { name, deadlineMs } = job;
  try {
    const lease = await leasing(name, Math.ceil(deadlineMs / 1_000) + LEASE_MARGIN_S);
    if (lease === undefined) return { name, result: 'busy' };
    try {
      const counts = await job.run(AbortSignal.timeout(deadlineMs));
      const didSomething = Object.values(counts).some((count) => count > 0);
      log[didSomething ? 'info' : 'debug'](`${name} done`, counts);
      return { name, result: 'done', counts };
    } finally {
      await lease.release();
    }
  } catch (error) {
    log.error(`${name} failed`, { error });
    return { name, result: 'failed' };
  }
}
