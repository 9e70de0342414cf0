import type { Log } from '../cloud/log.ts';
import type { Metrics } from '../cloud/metrics/registry.ts';
import type { Clock } from '../upstream/clock.ts';

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
  readonly result: 'done' | 'failed' | 'busy' | 'postponed';
  readonly counts?: Readonly<Record<string, number>>;
}

/** A job that works by pieces stops after this, so that the others have their turn. */
export const JOB_DEADLINE_MS = 30_000;
/** With less time than this left, a job is not begun: it would be told to stop at once. */
const JOB_MIN_MS = 5_000;

/**
 * Does the jobs one after the other, each under its lease and within its deadline, and all of them
 * within `callMs`: for what does not fit the next call is there. One that fails is logged and does
 * not keep the others from their turn. Never rejects.
 */
export async function runJobs(
  jobs: readonly Job[],
  leasing: Leasing,
  log: Log,
  metrics: Metrics,
  { callMs, clock }: { readonly callMs: number; readonly clock: Clock },
): Promise<readonly JobReport[]> {
  const success = metrics.counter('success_total', {});
  const failed = metrics.counter('fail_total', { reason: 'job' });
  const duration = metrics.distribution('process_duration', {});
  const endMs = clock.nowMs() + callMs;
  const reports: JobReport[] = [];
  for (const job of jobs) {
    const beganMs = clock.nowMs();
    const leftMs = endMs - beganMs;
    if (leftMs < JOB_MIN_MS) {
      log.warning(`${job.name} is left for the next call`);
      reports.push({ name: job.name, result: 'postponed' });
      continue;
    }
    const deadlineMs = Math.min(job.deadlineMs, leftMs);
    const report = await runJob({ ...job, deadlineMs }, leasing, log, clock);
    reports.push(report);
    // One that another call is at is counted there.
    if (report.result === 'busy') continue;
    duration.record(clock.nowMs() - beganMs);
    (report.result === 'done' ? success : failed).add();
  }
  return reports;
}

async function runJob(job: Job, leasing: Leasing, log: Log, clock: Clock): Promise<JobReport> {
  const { name, deadlineMs } = job;
  const late = new AbortController();
  const cancel = clock.after(deadlineMs, () => late.abort(new Error(`${name} has had its time`)));
  try {
    const counts = await leasing(job.lease ?? name, (lost) =>
      job.run(AbortSignal.any([late.signal, lost])),
    );
    if (counts === undefined) return { name, result: 'busy' };
    const didSomething = Object.values(counts).some((count) => count > 0);
    log[didSomething ? 'info' : 'debug'](`${name} done`, counts);
    return { name, result: 'done', counts };
  } catch (error) {
    log.error(`${name} failed`, { error });
    return { name, result: 'failed' };
  } finally {
    cancel();
  }
}
