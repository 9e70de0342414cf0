import { MetricServiceClient } from '@google-cloud/monitoring';
import { grpc } from 'google-gax';
import type { PubSubConfiguration } from '../configuration.ts';
import type { MetricsConfiguration } from './configuration.ts';
import type { MetricDescriptor, TimeSeries } from './points.ts';
import type { SendResult } from './writer.ts';

/** Cloud Monitoring, as far as metrics need it. Nothing here rejects. */
export interface Monitoring {
  /** Loads what the first write needs, which holds the event loop for a tenth of a second. */
  prepare(): Promise<void>;
  write(series: readonly TimeSeries[]): Promise<SendResult>;
  /** @returns why it was refused. */
  describe(descriptor: MetricDescriptor): Promise<string | undefined>;
  close(): Promise<void>;
}

/** Well within what a stopping instance has left, and nobody waits for metrics longer. */
const CALL_TIMEOUT_MS = 3_000;

/** No second try: a point that has landed would be refused as a repetition, and the next comes soon. */
const ONCE = { timeout: CALL_TIMEOUT_MS, retry: { retryCodes: [] }, maxRetries: 0 };

const INVALID_ARGUMENT = 3;

/** Opens the client; with `MONITORING_EMULATOR_HOST` in plain text and without credentials. */
export function openMonitoring(
  configuration: Pick<MetricsConfiguration, 'MONITORING_EMULATOR_HOST'> &
    Pick<PubSubConfiguration, 'GOOGLE_CLOUD_PROJECT'>,
): Monitoring {
  const name = `projects/${configuration.GOOGLE_CLOUD_PROJECT}`;
  let client: MetricServiceClient | undefined;
  const opened = (): MetricServiceClient => {
    client ??= openMetricClient(configuration);
    return client;
  };
  return {
    async prepare() {
      // What fails here fails again at the first write, and is told there.
      await within(opened().initialize()).catch(() => undefined);
    },
    async write(series) {
      try {
        await within(opened().createTimeSeries({ name, timeSeries: [...series] }, ONCE));
        return { ok: true };
      } catch (error) {
        return resultOf(error, series.length);
      }
    },
    async describe(metricDescriptor) {
      try {
        await within(opened().createMetricDescriptor({ name, metricDescriptor }, ONCE));
        return undefined;
      } catch (error) {
        return reasonOf(error);
      }
    },
    async close() {
      await client?.close().catch(() => undefined);
    },
  };
}

/** Google's own client, on Cloud Monitoring or on a local one. */
export function openMetricClient(
  configuration: Parameters<typeof optionsOf>[0],
): MetricServiceClient {
  return new MetricServiceClient(optionsOf(configuration));
}

type ClientOptions = NonNullable<ConstructorParameters<typeof MetricServiceClient>[0]>;

function optionsOf(
  configuration: Pick<MetricsConfiguration, 'MONITORING_EMULATOR_HOST'> &
    Pick<PubSubConfiguration, 'GOOGLE_CLOUD_PROJECT'>,
): ClientOptions {
  const projectId = configuration.GOOGLE_CLOUD_PROJECT;
  const local = configuration.MONITORING_EMULATOR_HOST;
  if (local === undefined) return { projectId };
  const at = local.lastIndexOf(':');
  return {
    projectId,
    apiEndpoint: local.slice(0, at),
    port: Number(local.slice(at + 1)),
    sslCreds: grpc.credentials.createInsecure(),
    // Said outright, or the client looks for credentials only to learn which cloud it is in.
    universeDomain: 'googleapis.com',
  };
}

/** The client's own deadline does not cover its search for credentials. */
async function within<T>(call: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), CALL_TIMEOUT_MS + 1_000);
  });
  try {
    return await Promise.race([call, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

function resultOf(error: unknown, asked: number): SendResult {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const reason = reasonOf(error);
  // Only with this status the rest was taken.
  if (code !== INVALID_ARGUMENT) return { ok: false, why: 'unavailable', failed: asked, reason };
  return { ok: false, why: 'refused', failed: failedOf(error) ?? asked, reason };
}

/** Google's CreateTimeSeriesSummary in the details of the error says how many points it took. */
function failedOf(error: unknown): number | undefined {
  const { statusDetails } = error as { statusDetails?: unknown };
  if (!Array.isArray(statusDetails)) return undefined;
  for (const detail of statusDetails as Record<string, unknown>[]) {
    const { totalPointCount: total, successPointCount: success } = detail;
    if (typeof total === 'number' && typeof success === 'number') return total - success;
  }
  return undefined;
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.slice(0, 300);
}
