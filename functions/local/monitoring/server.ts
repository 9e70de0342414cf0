import type { AddressInfo } from 'node:net';
import { Server } from '@grpc/grpc-js';
import type { Log } from '../../cloud/log.ts';
import { listenOnLoopback, stopServer } from '../grpc.ts';
import { startPage } from './http.ts';
import { limits } from './limits.ts';
import { loadProtocol } from './protocol.ts';
import { metricService } from './services.ts';
import { SeriesStore } from './store.ts';

export interface MonitoringServerOptions {
  /** 0 for any free port. */
  readonly port: number;
  /** The same for the page with the dashboards. */
  readonly pagePort: number;
  /** The folder with `dashboards` and `alerts`. */
  readonly infra: string;
  readonly log: Log;
  /** Unix time in milliseconds. */
  readonly nowMs: () => number;
}

export interface MonitoringServer {
  readonly port: number;
  readonly pagePort: number;
  readonly store: SeriesStore;
  close(): Promise<void>;
}

/**
 * Starts a Cloud Monitoring for one machine: Google's gRPC interface for metrics, with its rules
 * for writing, and a page with the dashboards. It keeps a day in memory and nothing on disk. Listens on the loopback interface
 * only: it asks nobody who they are.
 */
export async function startMonitoringServer(
  options: MonitoringServerOptions,
): Promise<MonitoringServer> {
  const { log, nowMs } = options;
  const store = new SeriesStore();
  const protocol = loadProtocol();
  const server = new Server({
    'grpc.max_receive_message_length': limits.transportBytesMax,
    'grpc.max_send_message_length': -1,
  });
  server.addService(protocol.metricService, metricService({ store, protocol, nowMs, log }));
  const port = await listenOnLoopback(server, options.port);
  const page = await startPage({ ...options, port: options.pagePort, store }).catch(
    async (error: unknown) => {
      await stopServer(server);
      throw error;
    },
  );
  return {
    port,
    pagePort: (page.address() as AddressInfo).port,
    store,
    async close() {
      page.close();
      page.closeAllConnections();
      await stopServer(server);
    },
  };
}
