import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Server } from '@grpc/grpc-js';
import type { Log } from '../../cloud/log.ts';
import { listenOnLoopback, stopServer } from '../grpc.ts';
import { Commits } from './commits.ts';
import { limits } from './limits.ts';
import { loadProtocol } from './protocol.ts';
import { publisherService, subscriberService } from './services.ts';
import { unavailable } from './status.ts';
import { Storage } from './storage.ts';
import { Subscriptions } from './subscriptions.ts';
import { Topics } from './topics.ts';

export interface PubSubServerOptions {
  /** 0 for any free port. */
  readonly port: number;
  /** Belongs to this server alone; made if it is not there. */
  readonly dataDir: string;
  /** Ids of the topics whose subscriptions keep their messages on disk. */
  readonly durable: readonly string[];
  readonly log: Log;
}

export interface PubSubServer {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Starts a Pub/Sub for one machine: Google's gRPC interface, so that its client library works with
 * `PUBSUB_EMULATOR_HOST` and nothing else changed. A publish to a durable topic is on disk before
 * it is acknowledged. Listens on the loopback interface only: it asks nobody who they are.
 */
export async function startPubSubServer(options: PubSubServerOptions): Promise<PubSubServer> {
  const { dataDir, log } = options;
  mkdirSync(dataDir, { recursive: true });
  const storage = new Storage(join(dataDir, 'pubsub.sqlite'), { durable: true });
  // After the main file's lock is held: nobody else uses the overflow, whose content is worthless.
  const overflowFile = join(dataDir, 'overflow.sqlite');
  rmSync(overflowFile, { force: true });
  rmSync(`${overflowFile}-journal`, { force: true });
  const overflow = new Storage(overflowFile, { durable: false });
  const commits = new Commits(storage, log);
  const topics = new Topics({ storage, commits, lastId: storage.lastId() });
  const durable = new Set(options.durable);
  const subscriptions = new Subscriptions({ durable, storage, overflow, commits, topics, log });
  const sweeper = setInterval(() => subscriptions.sweep(), limits.sweepIntervalMs);
  sweeper.unref();

  const server = new Server({
    'grpc.max_receive_message_length': limits.transportBytesMax,
    'grpc.max_send_message_length': -1,
  });
  const protocol = loadProtocol();
  server.addService(protocol.publisher, publisherService(topics, subscriptions, log));
  server.addService(protocol.subscriber, subscriberService(subscriptions, log));

  const endStreams = () => subscriptions.close(unavailable('The local Pub/Sub is shutting down.'));
  const release = () => {
    clearInterval(sweeper);
    endStreams();
    commits.flush();
    storage.close();
    overflow.close();
  };
  try {
    const port = await listenOnLoopback(server, options.port);
    return {
      port,
      close: async () => {
        await stopServer(server, endStreams);
        release();
      },
    };
  } catch (error) {
    release();
    throw error;
  }
}
