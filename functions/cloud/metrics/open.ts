import { randomUUID } from 'node:crypto';
import type { PubSubConfiguration } from '../configuration.ts';
import type { Log } from '../log.ts';
import type { Component } from './catalogue.ts';
import type { MetricsConfiguration } from './configuration.ts';
import { describeMetrics } from './describe.ts';
import { findIdentity } from './identity.ts';
import { openMonitoring } from './monitoring.ts';
import { type Metrics, Registry } from './registry.ts';
import { GAP_MS_MIN, MetricWriter } from './writer.ts';

export interface MetricsOptions {
  readonly component: Component;
  readonly configuration: MetricsConfiguration &
    Pick<PubSubConfiguration, 'GOOGLE_CLOUD_PROJECT' | 'PUBSUB_EMULATOR_HOST'>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
}

/** The metrics of a process, and when they are written. Nothing here ever rejects. */
export interface MetricWriting {
  readonly metrics: Metrics;
  /** Writes by a timer: for services whose CPU is always theirs. */
  start(): void;
  /**
   * To be awaited before a request is answered, where the CPU is taken away between requests: writes
   * when it is time to.
   */
  due(): Promise<void>;
  /** The same for what runs once a minute or less: writes as soon as it may. */
  flush(): Promise<void>;
  /** Tells Cloud Monitoring what the metrics mean. One process of the system does. */
  describe(): Promise<void>;
  /** The last write, unless the one before was just now; then the connection is closed. */
  close(): Promise<void>;
}

/** Requests come irregularly: one that is so much early writes, or every second one would. */
const EARLY_SHARE = 0.15;

/** Opens the metrics of a process. Nothing is connected before the first write. */
export function openMetrics({ component, configuration, env, log }: MetricsOptions): MetricWriting {
  const metrics = new Registry(component);
  const { METRICS, MONITORING_EMULATOR_HOST, PUBSUB_EMULATOR_HOST } = configuration;
  // With a local Pub/Sub the rest is local as well, and no cloud is meant.
  const nowhere = MONITORING_EMULATOR_HOST === undefined && PUBSUB_EMULATOR_HOST !== undefined;
  if (METRICS === 'off' || nowhere) return writeNowhere(metrics);
  const monitoring = openMonitoring(configuration);
  const intervalMs = configuration.METRICS_INTERVAL_SECONDS * 1_000;
  let writer: Promise<MetricWriter> | undefined;
  const opened = (): Promise<MetricWriter> => {
    writer ??= findIdentity(component, configuration, env).then(
      (identity) =>
        new MetricWriter(metrics, identity, {
          send: (series) => monitoring.write(series),
          nowMs: Date.now,
          newTask: () => `${identity.task}-${randomUUID().slice(0, 8)}`,
          log,
        }),
    );
    return writer;
  };
  void opened();
  let timer: NodeJS.Timeout | undefined;
  // What an instance counted in its first seconds may be all that it will count for a while.
  let dueAtMs = performance.now() + GAP_MS_MIN;
  const tick = async (): Promise<void> => {
    // Paced by attempts: what is refused must not be tried again with every request.
    dueAtMs = performance.now() + intervalMs * (1 - EARLY_SHARE);
    await (await opened()).write();
  };
  return {
    metrics,
    start() {
      // Now, while few are connected.
      void monitoring.prepare();
      // Instances that started together do not all write in the same second.
      timer = setTimeout(
        () => {
          void tick();
          timer = setInterval(() => void tick(), intervalMs);
          timer.unref();
        },
        intervalMs * (0.2 + 0.8 * Math.random()),
      );
      timer.unref();
    },
    async due() {
      if (performance.now() >= dueAtMs) await tick();
    },
    flush: tick,
    describe: () => describeMetrics(monitoring, log),
    async close() {
      clearTimeout(timer);
      await (await opened()).settled();
      await tick();
      await monitoring.close();
    },
  };
}

/** Metrics that stay in memory. */
export function writeNowhere(metrics: Metrics): MetricWriting {
  const nothing = async (): Promise<void> => undefined;
  return {
    metrics,
    start: () => undefined,
    due: nothing,
    flush: nothing,
    describe: nothing,
    close: nothing,
  };
}
