import { readFileSync } from 'node:fs';
import { Journey } from '../cloud/journey.ts';
import type { Log } from '../cloud/log.ts';
import { openMetrics } from '../cloud/metrics/open.ts';
import { watchEventLoop, watchMemory } from '../cloud/metrics/process.ts';
import { PROCESS_NAME } from '../cloud/process-name.ts';
import { startService } from '../cloud/start-service.ts';
import { loadVerifier } from '../nostr/verify.ts';
import { parseRelayConfiguration, type RelayConfiguration } from './configuration.ts';
import { openEngine } from './engine.ts';
import type { Software } from './information.ts';
import { RelayServer } from './server.ts';
import { Terms } from './terms.ts';

/**
 * Cloud Run kills the process 10 s after SIGTERM. What has not ended by this time is left: all
 * that was answered `OK true` is safe in Pub/Sub.
 */
const STOP_TIMEOUT_MS = 8_000;

async function run(configuration: RelayConfiguration, log: Log): Promise<void> {
  const writing = openMetrics({ component: 'relay', configuration, env: process.env, log });
  const { metrics } = writing;
  watchMemory(metrics);
  watchEventLoop(metrics);
  const monotonicMs = () => performance.now();
  // One for the whole process: its lines a second are what the process may write.
  const journey = new Journey({ log, share: configuration.LOG_TRACE_SAMPLE, monotonicMs });
  const terms = new Terms({ configuration, software: readSoftware(), metrics, log });
  const [verifier, engine] = await Promise.all([
    loadVerifier(),
    openEngine(configuration, { log, metrics, journey, onBudget: (steps) => terms.change(steps) }),
  ]);
  const server = new RelayServer(configuration, {
    engine,
    verifier,
    terms,
    instance: PROCESS_NAME,
    journey,
    log,
    metrics,
    nowMs: Date.now,
    monotonicMs,
  });
  const port = await server.listen(configuration.PORT, configuration.RELAY_LISTEN_ADDRESS);
  log.info('listening', { port, verifier: verifier.name });
  process.send?.({ ready: true, port });
  writing.start();

  let stopping = false;
  const stop = async (why: string) => {
    if (stopping) return;
    stopping = true;
    log.info('stopping', { why, connections: server.connections });
    const timer = setTimeout(() => {
      log.warning('not everything ended in time');
      process.exit(0);
    }, STOP_TIMEOUT_MS);
    try {
      await server.stop();
      await Promise.all([engine.stop(), writing.close()]);
    } catch (error) {
      log.error('stopping failed', { error });
    }
    clearTimeout(timer);
    log.info('stopped');
    process.exit(0);
  };
  process.on('SIGTERM', () => void stop('SIGTERM'));
  process.on('SIGINT', () => void stop('SIGINT'));
  // The supervisor of a local system is gone: nobody is left to stop this process.
  process.on('disconnect', () => void stop('the supervisor is gone'));
}

/** What package.json says, here beside functions/ and, once built, beside dist/. */
function readSoftware(): Software {
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      const text = readFileSync(new URL(path, import.meta.url), 'utf8');
      const { name, version, homepage } = JSON.parse(text) as Record<string, unknown>;
      if (name !== 'distrise') continue;
      return {
        version: String(version),
        ...(typeof homepage === 'string' ? { homepage } : {}),
      };
    } catch {
      // The other place, then.
    }
  }
  return { version: 'unknown' };
}

const { settings, log } = startService('relay', parseRelayConfiguration(process.env));
try {
  await run(settings, log);
} catch (error) {
  log.error('the relay could not start', { error });
  process.exit(1);
}
