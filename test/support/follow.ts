import type { Pool } from 'pg';
import { openLog } from '../../functions/cloud/log.ts';
import { Registry } from '../../functions/cloud/metrics/registry.ts';
import { readChanges } from '../../functions/database/changes.ts';
import { listIds } from '../../functions/database/ids.ts';
import { queryEvents } from '../../functions/database/read.ts';
import { loadRecent } from '../../functions/database/recent.ts';
import { storedVersions } from '../../functions/database/versions.ts';
import { assembleInstance, type Instance } from '../../functions/relay/instance.ts';
import type { ReplicaDoors } from '../../functions/relay/replica-reads.ts';
import type { Message } from './history.ts';
import { quietJourney } from './journey.ts';

export const LIMIT_MAX = 50;

/** One relay instance without sockets and Pub/Sub over a real database; the test plays the fast lane. */
export interface Follow {
  readonly instance: Instance;
  readonly mailbox: Message[];
  readonly delivered: string[];
  readonly metrics: Registry;
}

export interface FollowOptions {
  readonly eventsMax: number;
  readonly replica?: ReplicaDoors;
  readonly lagMs?: number;
  readonly lagBytesMax?: number;
  readonly monotonicMs?: () => number;
  /** Takes the lines of the log. */
  readonly onLine?: (line: string) => void;
}

export function openFollow(pool: Pool, options: FollowOptions): Follow {
  const window = { eventsMax: options.eventsMax, bytesMax: 1e9 };
  const metrics = new Registry('relay');
  const topic = { publish: () => Promise.resolve('7') };
  const instance = assembleInstance(
    {
      incoming: topic,
      stored: topic,
      // Few rows a read, so that a catch-up takes several.
      readChanges: (from) => readChanges(pool, from, { rowsMax: 37 }),
      listStored: (filter, asked) => listIds(pool, filter, asked),
      queryStored: (filter, asked) => queryEvents(pool, filter, asked),
      ...(options.replica && { replica: options.replica }),
      storedVersions: (addresses) => storedVersions(pool, addresses),
      loadRecent: () => loadRecent(pool, window),
      nowMs: Date.now,
      monotonicMs: options.monotonicMs ?? (() => performance.now()),
      random: Math.random,
      journey: quietJourney,
      log: openLog(
        { level: options.onLine ? 'info' : 'error', format: 'json', component: 'test' },
        options.onLine && { write: options.onLine },
      ),
      metrics,
    },
    {
      window,
      pendingBytesMax: 1e9,
      lag: { lagMs: options.lagMs ?? 600_000, bytesMax: options.lagBytesMax ?? 1e9 },
      queryDeadlineMs: 10_000,
      limitDefault: LIMIT_MAX,
      limitMax: LIMIT_MAX,
      requestEventsMax: 1_000,
      answerBytesMax: 1e9,
      answersBytesMax: 1e9,
    },
  );
  const delivered: string[] = [];
  instance.subscriptions.open([{ limit: 0 }], {
    event: (text) => delivered.push(text.slice(7, 71)),
    eose: () => undefined,
    closed: (message) => delivered.push(message),
  });
  return { instance, mailbox: [], delivered, metrics };
}
