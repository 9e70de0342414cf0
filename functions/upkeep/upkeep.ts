import { randomUUID } from 'node:crypto';
import type { Log } from '../cloud/log.ts';
import type { Metrics } from '../cloud/metrics/registry.ts';
import { openPostgres } from '../cloud/postgres.ts';
import { openPubSub } from '../cloud/pubsub.ts';
import { withLease } from '../database/leases.ts';
import { systemClock } from '../upstream/clock.ts';
import { Ladder } from './budget.ts';
import type { UpkeepConfiguration } from './configuration.ts';
import { deadLetterPorts, deadLetters } from './dead-letters.ts';
import type { Upkeep } from './handler.ts';
import { type Leasing, runJobs } from './jobs.ts';
import { merging, partitionsAhead, retention } from './partition-jobs.ts';
import { changesLog, figures, orphanedSubscriptions, recordsOfSources } from './record-jobs.ts';

/**
 * For all jobs of a call: a minute less than Cloud Scheduler waits for an answer by default, which
 * is more than the last piece of the last job takes.
 */
const CALL_DEADLINE_MS = 120_000;

/** Opens what upkeep needs; connections are made at first use. */
export async function openUpkeep(
  configuration: UpkeepConfiguration,
  log: Log,
  metrics: Metrics,
): Promise<Upkeep> {
  const applicationName = 'upkeep';
  const { pool } = await openPostgres({ ...configuration, applicationName, log, metrics });
  const pubsub = openPubSub(configuration);
  // A holder of its own each time: two calls may meet in one instance.
  const leasing: Leasing = (name, work) =>
    withLease(pool, { name: `upkeep ${name}`, holder: randomUUID() }, work);
  const nowSeconds = () => Math.floor(Date.now() / 1_000);
  const ladder = new Ladder({
    pool,
    rules: configuration.BUDGET_STEPS,
    metrics,
    log,
    nowMs: Date.now,
  });
  // Last the one that may take the scheduler's whole patience.
  const jobs = [
    partitionsAhead(pool, configuration, nowSeconds),
    changesLog(pool, configuration),
    recordsOfSources(pool),
    orphanedSubscriptions(pool, pubsub, configuration),
    deadLetters(pool, pubsub, configuration, metrics),
    ladder.job,
    figures(pool, metrics),
    retention(pool, configuration, nowSeconds),
    merging(pool, log, nowSeconds),
  ];
  const time = { callMs: CALL_DEADLINE_MS, clock: systemClock };
  return {
    run: () => runJobs(jobs, leasing, log, metrics, time),
    hearBudget: (push) => ladder.hear(push),
    deadLetters: deadLetterPorts(pool, pubsub, configuration, metrics),
  };
}
