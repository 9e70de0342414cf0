import { MetricServiceClient } from '@google-cloud/monitoring';
import { credentials } from '@grpc/grpc-js';
import {
  type MonitoringServer,
  startMonitoringServer,
} from '../../../functions/local/monitoring/server.ts';
import { silentLog } from '../pubsub.ts';

/** The local Cloud Monitoring inside the test's process, and Google's own client on it. */
export interface TestMonitoring {
  readonly server: MonitoringServer;
  readonly client: MetricServiceClient;
  close(): Promise<void>;
}

type ClientOptions = NonNullable<ConstructorParameters<typeof MetricServiceClient>[0]>;

/** Starts one on a free port, with the clock given. */
export async function openTestMonitoring(
  nowMs: () => number,
  infra = 'nowhere',
): Promise<TestMonitoring> {
  const options = { port: 0, pagePort: 0, infra, log: silentLog, nowMs };
  const server = await startMonitoringServer(options);
  const client = openMetricClient(server.port);
  return {
    server,
    client,
    async close() {
      await client.close();
      await server.close();
    },
  };
}

/** Google's own client on a local Cloud Monitoring. */
export function openMetricClient(port: number): MetricServiceClient {
  return new MetricServiceClient({
    projectId: 'distrise-test',
    apiEndpoint: '127.0.0.1',
    port,
    sslCreds: credentials.createInsecure() as NonNullable<ClientOptions['sslCreds']>,
    universeDomain: 'googleapis.com',
  });
}
