import { randomUUID } from 'node:crypto';
import type { PubSub } from '@google-cloud/pubsub';
import { openBroadcast } from '../cloud/broadcast.ts';
import type { BudgetStep } from '../cloud/budget-step.ts';
import { replicaOf } from '../cloud/configuration.ts';
import type { Journey } from '../cloud/journey.ts';
import type { Log } from '../cloud/log.ts';
import type { Metrics } from '../cloud/metrics/registry.ts';
import { openPostgres } from '../cloud/postgres.ts';
import { openPublisher, type Publisher } from '../cloud/publisher.ts';
import { openPubSub } from '../cloud/pubsub.ts';
import { readBudgetSteps } from '../database/budget.ts';
import { readChanges } from '../database/changes.ts';
import { listIds } from '../database/ids.ts';
import { heartbeat } from '../database/instances.ts';
import { queryEvents } from '../database/read.ts';
import { loadRecent } from '../database/recent.ts';
import { askReplica, isBusy, queryReplica } from '../database/replica.ts';
import { storedVersions } from '../database/versions.ts';
import type { EngineConfiguration } from './engine-configuration.ts';
import type { Engine } from './engine-types.ts';
import { assembleInstance, type InstanceLimits } from './instance.ts';
import { Poller } from './poller.ts';
import type { ReplicaDoors } from './replica-reads.ts';
import { decodeStored } from './stored-message.ts';

/** Rows of the changes log that one read takes. */
const CHANGES_ROWS_MAX = 5_000;

/** What the whole process shares. */
export interface EngineParts {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly journey: Journey;
  /** Told which steps of the budget hold, each time that this is read. */
  readonly onBudget: (steps: readonly BudgetStep[]) => void;
}

/**
 * Opens what stands behind the sockets of one relay instance: the window, the queue, the fast
 * lane and the database. If the database is away, the engine serves without it: events are still
 * taken, queries say so.
 * @throws when Pub/Sub refuses the instance's subscription for good.
 */
export async function openEngine(
  configuration: EngineConfiguration,
  { log, metrics, journey, onBudget }: EngineParts,
): Promise<Engine> {
  const pubsub = openPubSub(configuration);
  const postgres = await openPostgres({ ...configuration, applicationName: 'relay', log, metrics });
  const { pool } = postgres;
  const replica = await openReplica(configuration, log, metrics);
  const incoming = openTopic(configuration.TOPIC_INCOMING, pubsub, configuration, metrics);
  const stored = openTopic(configuration.TOPIC_STORED, pubsub, configuration, metrics);
  const limits = limitsOf(configuration);
  const { follower, intake, inventory, subscriptions, replicaReads } = assembleInstance(
    {
      incoming,
      stored,
      readChanges: (from) => readChanges(pool, from, { rowsMax: CHANGES_ROWS_MAX }),
      queryStored: (filter, options) => queryEvents(pool, filter, options),
      ...(replica && { replica: replica.doors }),
      storedVersions: (addresses) => storedVersions(pool, addresses),
      listStored: (filter, options) => listIds(pool, filter, options),
      loadRecent: () => loadRecent(pool, limits.window),
      nowMs: Date.now,
      monotonicMs: () => performance.now(),
      random: Math.random,
      journey,
      log,
      metrics,
    },
    limits,
  );
  const subscription = `relay-${randomUUID()}`;
  const poller = new Poller(
    {
      catchUp: () => follower.catchUp(),
      askAgain: () => intake.askAgain(),
      readBudget: async () => onBudget(await readBudgetSteps(pool)),
      heartbeat: () => heartbeat(pool, subscription),
    },
    configuration.CHANGES_POLL_MS,
    log,
  );
  const broadcast = await openBroadcast({
    pubsub,
    topic: configuration.TOPIC_STORED,
    subscription,
    onMessage(data, attributes) {
      for (const { meta, text } of decodeStored(data, attributes, log)) follower.heard(meta, text);
    },
    onBreak(why) {
      log.warning('the fast lane broke', { why });
      follower.broke();
      poller.soon();
    },
    log,
    metrics,
  });
  await poller.start();
  return {
    publish: (event, text, origin) => intake.take(event, text, origin),
    subscribe: (filters, subscriber) => subscriptions.open(filters, subscriber),
    list: (filter, options) => inventory.list(filter, options),
    ready: true,
    async stop() {
      await poller.stop();
      replicaReads?.stop();
      // Side by side: what waits for a Pub/Sub that is away must not keep our subscription alive.
      await Promise.all([incoming.close(), stored.close(), broadcast.close()]);
      await Promise.all([postgres.close(), replica?.close()]);
      await pubsub.close();
    },
  };
}

/** A second pool, for reading alone, where the configuration names a replica. */
async function openReplica(
  configuration: EngineConfiguration,
  log: Log,
  metrics: Metrics,
): Promise<{ readonly doors: ReplicaDoors; close(): Promise<void> } | undefined> {
  const found = replicaOf(configuration);
  if (found === undefined) return undefined;
  const naming = { applicationName: 'relay', poolName: 'replica' } as const;
  const { pool, close } = await openPostgres({ ...found, ...naming, log, metrics });
  const doors: ReplicaDoors = {
    query: (filter, options) => queryReplica(pool, filter, options),
    ask: () => askReplica(pool),
    isBusy: () => isBusy(pool),
  };
  return { doors, close };
}

const openTopic = (
  topic: string,
  pubsub: PubSub,
  configuration: EngineConfiguration,
  metrics: Metrics,
): Publisher =>
  openPublisher({
    pubsub,
    topic,
    slots: configuration.PUBLISH_SLOTS,
    deadlineMs: configuration.PUBLISH_DEADLINE_MS,
    pendingBytesMax: configuration.PENDING_BYTES_MAX,
    metrics,
  });

const limitsOf = (configuration: EngineConfiguration): InstanceLimits => ({
  window: {
    eventsMax: configuration.WINDOW_EVENTS_MAX,
    bytesMax: configuration.WINDOW_BYTES_MAX,
  },
  pendingBytesMax: configuration.PENDING_BYTES_MAX,
  lag: {
    lagMs: configuration.REPLICA_LAG_SECONDS * 1_000,
    bytesMax: configuration.REPLICA_LAG_BYTES_MAX,
  },
  queryDeadlineMs: configuration.QUERY_DEADLINE_MS,
  limitDefault: configuration.LIMIT_DEFAULT,
  limitMax: configuration.LIMIT_MAX,
  requestEventsMax: configuration.REQUEST_EVENTS_MAX,
  answerBytesMax: configuration.ANSWER_BYTES_MAX,
  answersBytesMax: configuration.ANSWERS_BYTES_MAX,
});
