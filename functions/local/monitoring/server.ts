import { Server } from '@grpc/grpc-js';
import type { Log } from '../../cloud/log.ts';
import { listenOnLoopback, stopServer } from '../grpc.ts';
import { limits } from './limits.ts';
import { loadProtocol } from './protocol.ts';
import { metricService } from './services.ts';
import { SeriesStore } from './store.ts';

export interface MonitoringServerOptions {
  /** 0 for any free port. */
  readonly port: number;
  readonly log: Log;
  /** Unix time in milliseconds. */
  readonly nowMs: () => number;
}

export interface MonitoringServer {
  readonly port: number;
  readonly store: SeriesStore;
  close(): Promise<void>;
}

/**
 * Starts a Cloud Monitoring for one machine: Google's gRPC interface for metrics, with its rules
 * for writing. It keeps a day in memory and nothing on disk. Listens on the loopback interface
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
  return { port, store, close: () => stopServer(server) };
}
