import type { Log } from '../cloud/log.ts';
import type { Postgres } from '../cloud/postgres.ts';
import { dropKinds } from '../database/drop-kinds.ts';
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
import type { UpkeepConfiguration } from './configuration.ts';
import { JOB_DEADLINE_MS, type Job } from './jobs.ts';
import { retain } from './retention.ts';

type Pool = Postgres['pool'];

/** Those that write a partition anew are told to stop later, and go on there at the next run. */
const REWRITE_DEADLINE_MS = 60_000;
/** Months that are made on the first run for events of the past; older ones share a catch-all. */
const MONTHS_BACK = 12;

/** What changes partitions does so one after the other, whichever call it belongs to. */
const PARTITIONS = 'partitions';

/** Makes the partitions of the months to come. */
export function partitionsAhead(
  pool: Pool,
  { PARTITION_MONTHS_AHEAD }: UpkeepConfiguration,
  nowSeconds: () => number,
): Job {
  return {
    name: 'partitions ahead',
    lease: PARTITIONS,
    deadlineMs: JOB_DEADLINE_MS,
    async run(signal) {
      // What a call that was killed left half done, before anything else is changed.
      await settle(pool, signal);
      const last = (await listMonths(pool)).at(-1);
      let made = 0;
      for (let n = -MONTHS_BACK; n <= PARTITION_MONTHS_AHEAD; n += 1) {
        const month = monthAt(nowSeconds(), n);
        if (signal.aborted) break;
        if (last !== undefined && month.to <= last.to) continue;
        await makeMonth(pool, month);
        made += 1;
      }
      return { made };
    },
  };
}

/** Drops what is too old, or of a kind that need not stay so long. */
export function retention(
  pool: Pool,
  configuration: UpkeepConfiguration,
  nowSeconds: () => number,
): Job {
  return {
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
        nowSeconds(),
        signal,
      );
    },
  };
}

/** Merges months that are over, and ends what writes partitions anew. */
export function merging(pool: Pool, log: Log, nowSeconds: () => number): Job {
  return {
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
      return { merged: await mergeOldest(pool, nowSeconds(), signal) };
    },
  };
}
