import type { Journey } from '../cloud/journey.ts';
import type { Log } from '../cloud/log.ts';
import type { LogPosition } from '../database/changes.ts';
import type { StoredEvent } from '../database/read.ts';
import { type AnswerLimits, Answers, type AskVersions, type QueryStored } from './answers.ts';
import { Feed } from './feed.ts';
import { Follower, type ReadChanges } from './follower.ts';
import { Intake, type Topic } from './intake.ts';
import { Inventory, type ListStored } from './inventory.ts';
import { Pending } from './pending.ts';
import { RecentWindow, type WindowLimits } from './recent-window.ts';
import { Subscriptions } from './subscriptions.ts';

/** The doors of one relay instance to queue and database. */
export interface InstanceDoors {
  readonly incoming: Topic;
  readonly stored: Topic;
  readonly readChanges: ReadChanges;
  readonly queryStored: QueryStored;
  readonly storedVersions: AskVersions;
  readonly listStored: ListStored;
  readonly loadRecent: () => Promise<{
    readonly position: LogPosition;
    readonly events: readonly StoredEvent[];
    readonly completeSince: number;
  }>;
  readonly nowMs: () => number;
  readonly journey: Journey;
  readonly log: Log;
}

export interface InstanceLimits extends AnswerLimits {
  readonly window: WindowLimits;
  readonly pendingBytesMax: number;
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
}

/** Joins the parts of an instance to each other and to its doors. */
export function assembleInstance(doors: InstanceDoors, limits: InstanceLimits): Instance {
  const { nowMs, journey, log } = doors;
  const window = new RecentWindow(limits.window);
  const pending = new Pending(limits.pendingBytesMax);
  const feed: Feed = new Feed({
    window,
    pending,
    nowMs,
    announce: (entry) => subscriptions.announce(entry),
    whenPassed: (work) => follower.whenPassed(work),
    endSubscriptions: (message) => subscriptions.endAll(message),
    loadRecent: doors.loadRecent,
  });
  const follower = new Follower(doors.readChanges, feed, log);
  const answers = new Answers(window, pending, doors.queryStored, doors.storedVersions, limits);
  const inventory = new Inventory(pending, doors.listStored);
  const subscriptions: Subscriptions = new Subscriptions({
    answers,
    wasAnnounced: (id) => window.get(id) !== undefined,
    isPending: (id) => pending.get(id) !== undefined,
    whenPassed: (work) => follower.whenPassed(work),
    queryDeadlineMs: limits.queryDeadlineMs,
    journey,
    log,
  });
  const intake = new Intake({
    window,
    pending,
    incoming: doors.incoming,
    stored: doors.stored,
    announce: (entry) => subscriptions.announce(entry),
    announceEphemeral: (entry) => feed.announceEphemeral(entry),
    journey,
    nowMs,
  });
  return { window, pending, follower, answers, inventory, subscriptions, intake };
}
