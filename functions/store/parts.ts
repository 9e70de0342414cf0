import { Journey } from '../cloud/journey.ts';
import type { Log } from '../cloud/log.ts';
import type { Metrics } from '../cloud/metrics/registry.ts';
import { openPostgres } from '../cloud/postgres.ts';
import { openPublisher } from '../cloud/publisher.ts';
import { openPubSub, openRawPublisher } from '../cloud/pubsub.ts';
import { writeEvents } from '../database/write.ts';
import { loadVerifier } from '../nostr/verify.ts';
import type { StoreConfiguration } from './configuration.ts';
import { StoreMeter } from './meter.ts';
import type { StorePorts } from './store.ts';

/** The ports of `storePush`, joined to the real database and the real Pub/Sub. */
export interface StoreParts extends StorePorts {
  /** Ends the connections. Nothing depends on it: functions-framework ends without asking. */
  close(): Promise<void>;
}

/** Outcomes that wait for Pub/Sub at once: of twenty messages under way, with room for large ones. */
const PENDING_BYTES_MAX = 64 * 1024 * 1024;
/** As long as the publisher of outcomes gives a line; both end well before the push call does. */
const BURY_TIMEOUT_MS = 10_000;

/** Opens what store needs; connections are made at first use. */
export async function openStore(
  configuration: StoreConfiguration,
  log: Log,
  metrics: Metrics,
): Promise<StoreParts> {
  const verifier = await loadVerifier();
  const applicationName = 'distrise-store';
  const postgres = await openPostgres({ ...configuration, applicationName, log, metrics });
  const pubsub = openPubSub(configuration);
  const stored = openPublisher({
    pubsub,
    topic: configuration.TOPIC_STORED,
    pendingBytesMax: PENDING_BYTES_MAX,
    metrics,
  });
  const dead = openRawPublisher(pubsub, configuration.TOPIC_INCOMING_DEAD);
  log.info('store opened', { verifier: verifier.name });
  return {
    write: (events) => writeEvents(postgres.pool, events),
    announce: (line) => stored.publish(line),
    bury: ({ data, attributes }) => dead.publish(data, attributes, BURY_TIMEOUT_MS),
    verifier,
    limits: { eventBytesMax: configuration.EVENT_BYTES_MAX },
    nowMs: () => Date.now(),
    journey: new Journey({
      log,
      share: configuration.LOG_TRACE_SAMPLE,
      monotonicMs: () => performance.now(),
    }),
    log,
    meter: new StoreMeter(metrics),
    async close() {
      await Promise.allSettled([stored.close(), dead.close(), postgres.close()]);
      await pubsub.close();
    },
  };
}
