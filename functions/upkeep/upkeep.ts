import { randomUUID } from 'node:crypto';
import type { Log } from '../cloud/log.ts';
import { openPostgres } from '../cloud/postgres.ts';
import { openPubSub, openRawPublisher } from '../cloud/pubsub.ts';
import { openPuller, openTopicSubscriptions } from '../cloud/pull.ts';
import { makeLogDay, trimLog } from '../database/changes-log.ts';
import * as letters from '../database/dead-letters.ts';
import { dropKinds } from '../database/drop-kinds.ts';
import { forgetInstance, silentInstances } from '../database/instances.ts';
import { withLease } from '../database/leases.ts';
import { mergeOldest } from '../database/merge-months.ts';
import {
  beforeOf,
  dropMonth,
  emptyBefore,
  kindsOf,
  listMonths,
  makeMonth,
  monthAt,
  regularBytes,
} from '../database/partitions.ts';
import { continueRewrite, finishExchange } from '../database/rewrite.ts';
import type { UpkeepConfiguration } from './configuration.ts';
import type { DeadLetterPorts } from './dead-letter-call.ts';
import type { Upkeep } from './handler.ts';
import { type Job, type Leasing, runJobs } from './jobs.ts';
import { replayDeadLetters } from './replay.ts';
import { retain } from './retention.ts';
import { sweepSubscriptions } from './sweep.ts';

/** A job that works by pieces stops after this, so that the others have their turn. */
const JOB_DEADLINE_MS = 30_000;
/** Those that write a partition anew are told to stop later, and go on there at the next run. */
const REWRITE_DEADLINE_MS = 60_000;
/** Months that are made on the first run for events of the past; older ones share a catch-all. */
const MONTHS_BACK = 12;
const PULL_MAX = 100;
const PUBLISH_TIMEOUT_MS = 10_000;
/** Dead letters that an operator has decided about can be looked at for so long. */
const DECIDED_LETTERS_DAYS = 30;

/** What changes partitions does so one after the other, whichever call it belongs to. */
const PARTITIONS = 'partitions';

/** Opens what upkeep needs; connections are made at first use. */
export async function openUpkeep(configuration: UpkeepConfiguration, log: Log): Promise<Upkeep> {
  const { pool } = await openPostgres({ ...configuration, applicationName: 'upkeep', log });
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
      // Before the changes log is trimmed, without which it could not be finished.
      await finishExchange(pool);
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
      if (!(await continueRewrite(pool, signal))) return { merged: 0 };
      return { merged: await mergeOldest(pool, now(), signal) };
    },
  };
  const retention: Job = {
    name: 'retention',
    lease: PARTITIONS,
    deadlineMs: REWRITE_DEADLINE_MS,
    run: (signal) =>
      retain(
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
      ),
  };
  const changesLog: Job = {
    name: 'changes log',
    deadlineMs: JOB_DEADLINE_MS,
    async run() {
      const made = await makeLogDay(pool, Date.now());
      const dropped = await trimLog(pool, Date.now(), configuration.CHANGES_RETENTION_HOURS);
      return { made: Number(made), dropped };
    },
  };
  const sweep: Job = {
    name: 'orphaned subscriptions',
    deadlineMs: JOB_DEADLINE_MS,
    async run() {
      const subscriptions = await openTopicSubscriptions(pubsub, configuration.TOPIC_STORED);
      try {
        return {
          ...(await sweepSubscriptions({
            list: () => subscriptions.list(),
            silent: (names) => silentInstances(pool, names, configuration.INSTANCE_SILENT_SECONDS),
            remove: async (name) => {
              await subscriptions.remove(name);
              await forgetInstance(pool, name);
            },
          })),
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
              bury: (messages) => letters.buryMessages(pool, messages),
              acknowledge: (ackIds) => dead.acknowledge(ackIds),
            },
            { messagesMax: configuration.DEAD_LETTERS_PER_RUN, signal },
          )),
          forgotten: await letters.forgetLetters(pool, DECIDED_LETTERS_DAYS),
        };
      } finally {
        await Promise.all([dead.close(), incoming.close()]);
      }
    },
  };
  // Last the one that may take the scheduler's whole patience.
  const jobs = [partitions, changesLog, sweep, replay, retention, merging];
  return {
    run: () => runJobs(jobs, leasing, log),
    deadLetters: deadLetterPorts(pool, pubsub, configuration.TOPIC_INCOMING),
  };
}

function deadLetterPorts(
  pool: Awaited<ReturnType<typeof openPostgres>>['pool'],
  pubsub: ReturnType<typeof openPubSub>,
  topic: string,
): DeadLetterPorts {
  return {
    async list(filter, limit) {
      const [reasons, found] = await Promise.all([
        letters.countReasons(pool, filter),
        letters.listLetters(pool, filter, limit),
      ]);
      return { reasons, letters: found };
    },
    async show(id) {
      const found = await letters.readLetters(pool, id);
      return found.map(({ data, ...rest }) => ({ ...rest, data: data.toString('utf8') }));
    },
    async replay(filter, limit, who) {
      const incoming = openRawPublisher(pubsub, topic);
      try {
        return await letters.replayLetters(pool, filter, limit, who, (data, attributes) =>
          incoming.publish(data, attributes, PUBLISH_TIMEOUT_MS),
        );
      } finally {
        await incoming.close();
      }
    },
    discard: (filter, limit, who) => letters.discardLetters(pool, filter, limit, who),
  };
}
