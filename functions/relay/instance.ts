import type { Journey } from '../cloud/journey.ts';
import type { Log } from '../cloud/log.ts';
import type { Metrics } from '../cloud/metrics/registry.ts';
import type { LogPosition } from '../database/changes.ts';
import type { StoredEvent } from '../database/read.ts';
import { type AnswerLimits, Answers, type AskVersions, type QueryStored } from './answers.ts';
import { DeliveryMeter } from './delivery-meter.ts';
import { Feed } from './feed.ts';
import { Follower, type ReadChanges } from './follower.ts';
import { Intake, type Topic } from './intake.ts';
import { Inventory, type ListStored } from './inventory.ts';
import { Pending } from './pending.ts';
import { QueryMeter } from './query-meter.ts';
import { RecentWindow, type WindowLimits } from './recent-window.ts';
import { type ReplicaDoors, ReplicaReads } from './replica-reads.ts';
import { SlowQueries } from './slow-queries.ts';
import { Subscriptions } from './subscriptions.ts';
import { type LagLimits, Unreplayed } from './unreplayed.ts';

/** The doors of one relay instance to queue and database. */
export interface InstanceDoors {
  readonly incoming: Topic;
  readonly stored: Topic;
  readonly readChanges: ReadChanges;
  readonly queryStored: QueryStored;
  /** A read replica, asked instead of `queryStored` where it can be. */
  readonly replica?: ReplicaDoors;
  readonly storedVersions: AskVersions;
  readonly listStored: ListStored;
  readonly loadRecent: () => Promise<{
    readonly position: LogPosition;
    readonly events: readonly StoredEvent[];
    readonly completeSince: number;
  }>;
  readonly nowMs: () => number;
  /** Milliseconds of a clock that never steps back. */
  readonly monotonicMs: () => number;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly journey: Journey;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface InstanceLimits extends AnswerLimits {
  readonly window: WindowLimits;
  readonly pendingBytesMax: number;
  readonly lag: LagLimits;
  readonly queryDeadlineMs: number;
}

/** What one relay instance keeps in memory, put together; it opens nothing and has no timer. */
export interface Instance {
  readonly window: RecentWindow;
  readonly pending: Pending;
  readonly follower: Follower;
  readonly answers: Answers;
  readonly inventory: Inventory;
  readonly subscriptions: Subscriptions;
  readonly intake: Intake;
  /** Absent without a replica. */
  readonly replicaReads: ReplicaReads | undefined;
}

/** Joins the parts of an instance to each other and to its doors. */
export function assembleInstance(doors: InstanceDoors, limits: InstanceLimits): Instance {
  const { nowMs, monotonicMs, random, journey, log, metrics, replica } = doors;
  const window = new RecentWindow(limits.window);
  const pending = new Pending(limits.pendingBytesMax);
  const feed: Feed = new Feed({
    window,
    pending,
    nowMs,
    announce: (entry, lane, acceptedAtMs) => subscriptions.announce(entry, lane, acceptedAtMs),
    whenPassed: (work) => follower.whenPassed(work),
    endSubscriptions: (message) => subscriptions.endAll(message),
    loadRecent: doors.loadRecent,
  });
  const unreplayed =
    replica &&
    new Unreplayed(
      {
        sink: feed,
        pendingEntry: (id) => pending.get(id)?.entry,
        whenPassed: (work) => follower.whenPassed(work),
        monotonicMs,
      },
      limits.lag,
    );
  const follower = new Follower(doors.readChanges, unreplayed ?? feed, log);
  const primary = doors.queryStored;
  const replicaReads =
    unreplayed &&
    new ReplicaReads({
      ...{ replica, primary, unreplayed, monotonicMs, random, log, metrics },
      deadlineMs: limits.queryDeadlineMs,
    });
  const queryStored = replicaReads?.query ?? primary;
  const answers = new Answers(window, pending, queryStored, doors.storedVersions, limits);
  const inventory = new Inventory(pending, doors.listStored);
  const subscriptions: Subscriptions = new Subscriptions({
    answers,
    wasAnnounced: (id) => window.get(id) !== undefined,
    isPending: (id) => pending.get(id) !== undefined,
    whenPassed: (work) => follower.whenPassed(work),
    queryDeadlineMs: limits.queryDeadlineMs,
    queries: new QueryMeter(metrics),
    slow: new SlowQueries(log, monotonicMs),
    deliveries: new DeliveryMeter(metrics, nowMs),
    monotonicMs,
    journey,
    log,
  });
  const intake = new Intake({
    window,
    pending,
    incoming: doors.incoming,
    stored: doors.stored,
    announce: (entry, acceptedAtMs) => subscriptions.announce(entry, 'own', acceptedAtMs),
    announceEphemeral: (entry, acceptedAtMs) => feed.announceEphemeral(entry, acceptedAtMs),
    journey,
    nowMs,
  });
  const memory = { window, pending, follower, answers, inventory, subscriptions, intake };
  const instance = { ...memory, replicaReads };
  watch(instance, doors, limits);
  return instance;
}

/** Has what the instance holds written as it stands at each write. */
function watch(
  { window, pending, subscriptions }: Instance,
  { metrics, nowMs }: InstanceDoors,
  limits: InstanceLimits,
): void {
  metrics.watch('subscriptions', {}, () => subscriptions.size);
  metrics.watch('window_events', {}, () => window.size);
  // One that is off never completes, and nothing is wrong with it.
  if (limits.window.eventsMax > 0) {
    metrics.watch('window_complete', {}, () => Number(window.complete));
  }
  metrics.watch('pending_events', {}, () => pending.size);
  metrics.watch('pending_bytes', {}, () => pending.bytes);
  metrics.watch('pending_age', {}, () => {
    const now = nowMs();
    return Math.max(0, now - (pending.oldestAcceptedAt ?? now)) / 1_000;
  });
}
