import type { Metrics } from '../cloud/metrics/registry.ts';
import type { Postgres } from '../cloud/postgres.ts';
import type { openPubSub } from '../cloud/pubsub.ts';
import { openTopicSubscriptions } from '../cloud/pull.ts';
import { makeLogDay, trimLog } from '../database/changes-log.ts';
import { readFigures } from '../database/figures.ts';
import { forgetInstance, silentInstances } from '../database/instances.ts';
import { trimCoverage, trimRanges } from '../database/trim-sources.ts';
import type { UpkeepConfiguration } from './configuration.ts';
import { JOB_DEADLINE_MS, type Job } from './jobs.ts';
import { sweepSubscriptions } from './sweep.ts';

type Pool = Postgres['pool'];
type PubSub = ReturnType<typeof openPubSub>;

/**
 * A year of daily figures shows what there is to see; hourly ones of six weeks do as well. A filter
 * that is back within a month goes on where it was.
 */
const SOURCES_TRIMMED = { coverageDays: 365, coverageRows: 1_000, rangeDays: 30 };

/** Makes the next day of the changes log and drops those that nobody reads any more. */
export function changesLog(pool: Pool, configuration: UpkeepConfiguration): Job {
  return {
    name: 'changes log',
    deadlineMs: JOB_DEADLINE_MS,
    async run(signal) {
      const made = await makeLogDay(pool, Date.now());
      const hours = configuration.CHANGES_RETENTION_HOURS;
      const dropped = await trimLog(pool, Date.now(), hours, signal);
      return { made: Number(made), dropped };
    },
  };
}

/** Trims what the fetcher keeps about its sources. */
export function recordsOfSources(pool: Pool): Job {
  return {
    name: 'records of sources',
    deadlineMs: JOB_DEADLINE_MS,
    async run() {
      return {
        measurements: await trimCoverage(pool, SOURCES_TRIMMED),
        ranges: await trimRanges(pool, SOURCES_TRIMMED),
      };
    },
  };
}

/** Removes the subscriptions of relay instances that are gone. */
export function orphanedSubscriptions(
  pool: Pool,
  pubsub: PubSub,
  configuration: UpkeepConfiguration,
): Job {
  return {
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
}

/** Reads the figures of the whole database into the metrics. */
export function figures(pool: Pool, metrics: Metrics): Job {
  return {
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
}
