import { randomUUID } from 'node:crypto';
import type { Log } from '../cloud/log.ts';
import type { Metrics } from '../cloud/metrics/registry.ts';
import { openPostgres } from '../cloud/postgres.ts';
import { openPubSub, openRawPublisher } from '../cloud/pubsub.ts';
import { openPuller, openTopicSubscriptions } from '../cloud/pull.ts';
import { makeLogDay, trimLog } from '../database/changes-log.ts';
import { buryMessages } from '../database/dead-letters.ts';
import { dropKinds } from '../database/drop-kinds.ts';
import { readFigures } from '../database/figures.ts';
import { forgetInstance, silentInstances } from '../database/instances.ts';
import { withLease } from '../database/leases.ts';
import { mergeOldest } from '../database/merge-months.ts';
import { beforeOf, listMonths, monthAt } from '../database/months.ts';
import {
  dropMonth,
  emptyBefore,
  kindsOf,
  makeMonth,
  regularBytes,
  settle,
} from '../database/partitions.ts';
import { continueRewrite, evenOut } from '../database/rewrite.ts';
import { trimCoverage, trimRanges } from '../database/trim-sources.ts';
import { systemClock } from '../upstream/clock.ts';
import type { UpkeepConfiguration } from './configuration.ts';
import { type Job, type JobReport, type Leasing, runJobs } from './jobs.ts';
import { replayDeadLetters } from './replay.ts';
import { retain } from './retention.ts';
import { sweepSubscriptions } from './sweep.ts';

/**
 * For all jobs of a call: a minute less than Cloud Scheduler waits for an answer by default, which
 * is more than the last piece of the last job takes.
 */
const CALL_DEADLINE_MS = 120_000;
/** A job that works by pieces stops after this, so that the others have their turn. */
const JOB_DEADLINE_MS = 30_000;
/** Those that write a partition anew are told to stop later, and go on there at the next run. */
const REWRITE_DEADLINE_MS = 60_000;
/** Months that are made on the first run for events of the past; older ones share a catch-all. */
const MONTHS_BACK = 12;
const PULL_MAX = 100;
const PUBLISH_TIMEOUT_MS = 10_000;

/** What changes partitions does so one after the other, whichever call it belongs to. */
const PARTITIONS = 'partitions';

/**
 * A year of daily figures shows what there is to see; hourly ones of six weeks do as well. A filter
 * that is back within a month goes on where it was.
 */
const SOURCES_TRIMMED = { coverageDays: 365, coverageRows: 1_000, rangeDays: 30 };

/** Does everything that is due once. */
export type Upkeep = () => Promise<readonly JobReport[]>;

/** Opens what upkeep needs; connections are made at first use. */
export async function openUpkeep(
  configuration: UpkeepConfiguration,
  log: Log,
  metrics: Metrics,
): Promise<Upkeep> {
  const { pool } = await openPostgres({
    ...configuration,
    applicationName: 'upkeep',
    log,
    metrics,
  });
  const pubsub = openPubSub(configuration);
  // A holder of its own each time: two calls may meet in one instance.
  const leasing: Leasing = (name, work) =>
    withLease(pool, { name: `upkeep ${name}`, holder: randomUUID() }, work);
  const now = () => Math.floor(Date.now() / 1_000);

  const partitions: Job = {
    name: 'partitions ahead',
    lease: PARTITIONS,
    deadlineMs: JOB_DEADLINE_MS,
    async run(signal) {
      // What a call that was killed left half done, before anything else is changed.
      await settle(pool, signal);
      const last = (await listMonths(pool)).at(-1);
      let made = 0;
      for (let n = -MONTHS_BACK; n <= configuration.PARTITION_MONTHS_AHEAD; n += 1) {
        const month = monthAt(now(), n);
        if (signal.aborted) break;
        if (last !== undefined && month.to <= last.to) continue;
        await makeMonth(pool, month);
        made += 1;
      }
      return { made };
    },
  };
  const merging: Job = {
    name: 'merging of months',
    lease: PARTITIONS,
    deadlineMs: REWRITE_DEADLINE_MS,
    async run(signal) {
      // Also what retention has begun and no longer asks for.
      const progress = await continueRewrite(pool, signal);
      if (progress === 'waits') {
        log.warning('partitions wait to be exchanged: a transaction is open, or writers are ahead');
      } else if (progress === 'void') {
        log.warning('partitions have to be written anew once more: they were changed meanwhile');
      }
      if (progress !== 'done' || !(await evenOut(pool, signal))) return { merged: 0 };
      return { merged: await mergeOldest(pool, now(), signal) };
    },
  };
  const retention: Job = {
    name: 'retention',
    lease: PARTITIONS,
    deadlineMs: REWRITE_DEADLINE_MS,
    async run(signal) {
      // The merging, which comes next, tells why.
      if (!(await settle(pool, signal))) return { months: 0, kinds: 0 };
      return retain(
        {
          months: () => listMonths(pool),
          before: beforeOf,
          kindsOf: (month) => kindsOf(pool, month),
          bytes: () => regularBytes(pool),
          dropMonth: (month) => dropMonth(pool, month),
          dropKinds: (month, kinds) => dropKinds(pool, month, kinds, signal),
          emptyBefore: () => emptyBefore(pool),
        },
        {
          days: configuration.RETENTION_DAYS,
          gigabytes: configuration.RETENTION_GIGABYTES,
          kinds: configuration.RETENTION_KINDS,
        },
        now(),
        signal,
      );
    },
  };
  const changesLog: Job = {
    name: 'changes log',
    deadlineMs: JOB_DEADLINE_MS,
    async run(signal) {
      const made = await makeLogDay(pool, Date.now());
      const hours = configuration.CHANGES_RETENTION_HOURS;
      const dropped = await trimLog(pool, Date.now(), hours, signal);
      return { made: Number(made), dropped };
    },
  };
  const sweep: Job = {
    name: 'orphaned subscriptions',
    deadlineMs: JOB_DEADLINE_MS,
    async run(signal) {
      const subscriptions = await openTopicSubscriptions(pubsub, configuration.TOPIC_STORED);
      try {
        return {
          ...(await sweepSubscriptions(
            {
              list: () => subscriptions.list(),
              silent: (names) =>
                silentInstances(pool, names, configuration.INSTANCE_SILENT_SECONDS),
              remove: async (name) => {
                await subscriptions.remove(name);
                await forgetInstance(pool, name);
              },
            },
            signal,
          )),
        };
      } finally {
        await subscriptions.close();
      }
    },
  };
  const replay: Job = {
    name: 'dead letters',
    deadlineMs: JOB_DEADLINE_MS,
    async run(signal) {
      const dead = await openPuller(pubsub, `${configuration.TOPIC_INCOMING_DEAD}-replay`);
      const incoming = openRawPublisher(pubsub, configuration.TOPIC_INCOMING);
      try {
        return {
          ...(await replayDeadLetters(
            {
              pull: () => dead.pull(PULL_MAX),
              publish: (data, attributes) => incoming.publish(data, attributes, PUBLISH_TIMEOUT_MS),
              bury: (messages) => buryMessages(pool, messages),
              acknowledge: (ackIds) => dead.acknowledge(ackIds),
              metrics,
            },
            { messagesMax: configuration.DEAD_LETTERS_PER_RUN, signal },
          )),
        };
      } finally {
        await Promise.all([dead.close(), incoming.close()]);
      }
    },
  };
  const sources: Job = {
    name: 'records of sources',
    deadlineMs: JOB_DEADLINE_MS,
    async run() {
      return {
        measurements: await trimCoverage(pool, SOURCES_TRIMMED),
        ranges: await trimRanges(pool, SOURCES_TRIMMED),
      };
    },
  };
  const figures: Job = {
    name: 'figures',
    deadlineMs: JOB_DEADLINE_MS,
    async run() {
      const read = await readFigures(pool);
      metrics.gauge('stored_events', {}).set(read.storedEvents);
      metrics.gauge('database_bytes', {}).set(read.databaseBytes);
      metrics.gauge('dead_letters', {}).set(read.deadLetters);
      metrics.gauge('partitions', {}).set(read.partitions);
      return {};
    },
  };
  // Last the one that may take the scheduler's whole patience.
  const jobs = [partitions, changesLog, sources, sweep, replay, figures, retention, merging];
  const time = { callMs: CALL_DEADLINE_MS, clock: systemClock };
  return () => runJobs(jobs, leasing, log, metrics, time);
}
