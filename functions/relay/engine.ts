import { randomUUID } from 'node:crypto';
import { type Broadcast, openBroadcast } from '../cloud/broadcast.ts';
import type { Log } from '../cloud/log.ts';
import { openPostgres } from '../cloud/postgres.ts';
import { openPublisher, type Publisher } from '../cloud/publisher.ts';
import { openPubSub } from '../cloud/pubsub.ts';
import { readChanges } from '../database/changes.ts';
import { queryEvents } from '../database/read.ts';
import { loadRecent } from '../database/recent.ts';
import { Answers } from './answers.ts';
import type { EngineConfiguration } from './engine-configuration.ts';
import type { Engine } from './engine-types.ts';
import { Feed } from './feed.ts';
import { Follower } from './follower.ts';
import { Intake } from './intake.ts';
import { Pending } from './pending.ts';
import { Poller } from './poller.ts';
import { RecentWindow } from './recent-window.ts';
import { decodeStored } from './stored-message.ts';
import { Subscriptions } from './subscriptions.ts';

/** Rows of the changes log that one read takes. */
const CHANGES_ROWS_MAX = 5_000;

/**
 * Opens what stands behind the sockets of one relay instance: the window, the queue, the fast
 * lane and the database. If the database is away, the engine serves without it: events are still
 * taken, queries say so.
 * @throws when Pub/Sub refuses the instance's subscription for good.
 */
export async function openEngine(configuration: EngineConfiguration, log: Log): Promise<Engine> {
  const pubsub = openPubSub(configuration);
  const postgres = await openPostgres({ ...configuration, applicationName: 'relay', log });
  const { pool } = postgres;
  const window = new RecentWindow({
    eventsMax: configuration.WINDOW_EVENTS_MAX,
    bytesMax: configuration.WINDOW_BYTES_MAX,
  });
  const pending = new Pending(configuration.PENDING_BYTES_MAX);
  const publishers = [configuration.TOPIC_INCOMING, configuration.TOPIC_STORED].map((topic) =>
    openPublisher({
      pubsub,
      topic,
      slots: configuration.PUBLISH_SLOTS,
      deadlineMs: configuration.PUBLISH_DEADLINE_MS,
      pendingBytesMax: configuration.PENDING_BYTES_MAX,
    }),
  ) as [Publisher, Publisher];

  const feed: Feed = new Feed({
    window,
    pending,
    nowMs: Date.now,
    announce: (entry) => subscriptions.announce(entry),
    whenPassed: (work) => follower.whenPassed(work),
    loadRecent: () =>
      loadRecent(pool, {
        eventsMax: configuration.WINDOW_EVENTS_MAX,
        bytesMax: configuration.WINDOW_BYTES_MAX,
      }),
  });
  const follower = new Follower(
    (from) => readChanges(pool, from, { rowsMax: CHANGES_ROWS_MAX }),
    feed,
    log,
  );
  const answers = new Answers(
    window,
    pending,
    (filter, options) => queryEvents(pool, filter, options),
    {
      limitDefault: configuration.LIMIT_DEFAULT,
      limitMax: configuration.LIMIT_MAX,
      requestEventsMax: configuration.REQUEST_EVENTS_MAX,
    },
  );
  const subscriptions: Subscriptions = new Subscriptions({
    answers,
    wasAnnounced: (id) => window.get(id) !== undefined,
    isPending: (id) => pending.get(id) !== undefined,
    whenPassed: (work) => follower.whenPassed(work),
    queryDeadlineMs: configuration.QUERY_DEADLINE_MS,
    log,
  });
  const intake = new Intake({
    window,
    pending,
    incoming: publishers[0],
    stored: publishers[1],
    announce: (entry) => subscriptions.announce(entry),
    announceEphemeral: (entry) => feed.announceEphemeral(entry),
    nowMs: Date.now,
  });

  const poller = new Poller(follower, intake, configuration.CHANGES_POLL_MS, log);
  const broadcast: Broadcast = await openBroadcast({
    pubsub,
    topic: configuration.TOPIC_STORED,
    subscription: `relay-${randomUUID()}`,
    onMessage: (data, attributes) => {
      const lines = decodeStored(data, attributes, log);
      for (const { meta, text } of lines) follower.heard(meta, text);
    },
    onBreak: (why) => {
      log.warning('the fast lane broke', { why });
      follower.broke();
      poller.soon();
    },
    log,
  });
  await poller.start();

  return {
    publish: (event, text, origin) => intake.take(event, text, origin),
    subscribe: (filters, subscriber) => subscriptions.open(filters, subscriber),
    ready: true,
    async stop() {
      await poller.stop();
      await Promise.all(publishers.map((publisher) => publisher.close()));
      await broadcast.close();
      await postgres.close();
      await pubsub.close();
    },
  };
}
