import type { MetricName } from '../cloud/metrics/catalogue.ts';
import { openMetricClient } from '../cloud/metrics/monitoring.ts';
import { filterOf, type ListedSeries } from './health-series.ts';

/** Reads series of Cloud Monitoring. */
export interface SeriesReader {
  /** What a revision wrote of a metric from two writes before a moment until now. */
  read(
    metric: MetricName,
    revision: string,
    sinceMs: number,
    nowMs: number,
  ): Promise<readonly ListedSeries[]>;
  close(): Promise<void>;
}

export interface ReaderConfiguration {
  readonly GOOGLE_CLOUD_PROJECT: string;
  readonly METRICS_NAMESPACE: string;
  readonly MONITORING_EMULATOR_HOST?: string | undefined;
}

/** What was counted before the moment must be known to see what came after it. */
const BEFORE_MS = 150_000;
const CALL_TIMEOUT_MS = 30_000;
/** Cloud Monitoring's answer about a metric that nobody has written yet. */
const NOT_FOUND = 5;

/** Opens the client with the credentials of where it runs. */
export function openSeriesReader(configuration: ReaderConfiguration): SeriesReader {
  const { GOOGLE_CLOUD_PROJECT: project, METRICS_NAMESPACE: namespace } = configuration;
  const client = openMetricClient(configuration);
  return {
    async read(metric, revision, sinceMs, nowMs) {
      try {
        const [series] = await client.listTimeSeries(
          {
            name: `projects/${project}`,
            filter: filterOf(metric, namespace, revision),
            interval: {
              startTime: { seconds: Math.floor((sinceMs - BEFORE_MS) / 1_000) },
              endTime: { seconds: Math.ceil(nowMs / 1_000) },
            },
            view: 'FULL',
          },
          { timeout: CALL_TIMEOUT_MS },
        );
        return series as readonly ListedSeries[];
      } catch (error) {
        if ((error as { code?: unknown }).code === NOT_FOUND) return [];
        throw error;
      }
    },
    close: () => client.close(),
  };
}
