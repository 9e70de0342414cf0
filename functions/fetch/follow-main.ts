/** Live following, as a process of its own (a Cloud Run worker pool): see follow.ts. */
import { setTimeout as pause } from 'node:timers/promises';
import { openMetrics } from '../cloud/metrics/open.ts';
import { watchEventLoop, watchMemory } from '../cloud/metrics/process.ts';
import { openPostgres } from '../cloud/postgres.ts';
import { openPublisher } from '../cloud/publisher.ts';
import { openPubSub } from '../cloud/pubsub.ts';
import { startService } from '../cloud/start-service.ts';
import { readBudgetSteps } from '../database/budget.ts';
import { listSources } from '../database/sources.ts';
import { BudgetPause } from './budget-pause.ts';
import { parseFetchConfiguration } from './configuration.ts';
import { follow } from './follow.ts';
import { FOLLOW_PENDING_BYTES_MAX, FOLLOW_REFRESH_MS, FOLLOWED_MAX } from './limits.ts';
import { FetchMeter } from './meter.ts';
import { piecePorts } from './parts.ts';

const { settings, log } = startService('follow', parseFetchConfiguration(process.env));
const configuration = settings;
const writing = openMetrics({ component: 'fetch', configuration, env: process.env, log });
const { metrics } = writing;
watchMemory(metrics);
watchEventLoop(metrics);

const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort());
process.once('disconnect', () => stop.abort());

const postgres = await openPostgres({ ...settings, applicationName: 'follow', log, metrics });
const pubsub = openPubSub(settings);
const incoming = openPublisher({
  pubsub,
  topic: settings.TOPIC_INCOMING,
  pendingBytesMax: FOLLOW_PENDING_BYTES_MAX,
  metrics,
});
const publish = (line: Parameters<typeof incoming.publish>[0]) => incoming.publish(line);
const ports = piecePorts(settings, postgres.pool, publish, log, new FetchMeter(metrics));
const pauseByBudget = new BudgetPause({
  read: () => readBudgetSteps(postgres.pool),
  metrics,
  log,
});
writing.start();
log.info('following');
await follow(
  {
    ...ports,
    // None is followed while the budget is used up.
    list: async () => ((await pauseByBudget.holds()) ? [] : listSources(postgres.pool)),
    // An abort ends the wait; there is nobody to tell.
    pause: (ms, signal) => pause(ms, undefined, { signal }).catch(() => undefined),
  },
  {
    sourcesMax: FOLLOWED_MAX,
    overlapSeconds: settings.FETCH_OVERLAP_SECONDS,
    refreshMs: FOLLOW_REFRESH_MS,
  },
  stop.signal,
);
await Promise.allSettled([incoming.close(), postgres.close(), writing.close()]);
await pubsub.close();
log.info('stopped');
