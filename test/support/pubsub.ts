import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PubSub } from '@google-cloud/pubsub';
import { type Log, openLog } from '../../functions/cloud/log.ts';
import { openPubSub } from '../../functions/cloud/pubsub.ts';
import { type PubSubServer, startPubSubServer } from '../../functions/local/pubsub/server.ts';

/** The local Pub/Sub server inside the test's process, and the real client on it. */
export interface TestPubSub {
  readonly project: string;
  /** `host:port`, for PUBSUB_EMULATOR_HOST; stays the same when the server stops and starts. */
  readonly host: string;
  readonly client: PubSub;
  /** Stops the server; what is not durable is lost, as when its process dies. */
  stop(): Promise<void>;
  /** Starts it again on the same port and data. */
  start(): Promise<void>;
  /** Stops it for good and removes its data. */
  remove(): Promise<void>;
}

/** Keeps a test's output to its failures. */
export const silentLog: Log = openLog(
  { level: 'error', format: 'json', component: 'test' },
  { write: () => undefined },
);

/** Starts a server on a free port, with the topics given; those in `durable` survive a stop. */
export async function openTestPubSub(
  topics: readonly string[],
  durable: readonly string[] = [],
): Promise<TestPubSub> {
  const project = 'distrise-test';
  const dataDir = await mkdtemp(join(tmpdir(), 'distrise-pubsub-'));
  const startOn = (port: number) => startPubSubServer({ port, dataDir, durable, log: silentLog });
  let server: PubSubServer | undefined = await startOn(0);
  const { port } = server;
  const host = `127.0.0.1:${port}`;
  const client = openPubSub({ GOOGLE_CLOUD_PROJECT: project, PUBSUB_EMULATOR_HOST: host });
  for (const topic of topics) await client.createTopic(topic);
  const stop = async () => {
    await server?.close();
    server = undefined;
  };
  return {
    project,
    host,
    client,
    stop,
    async start() {
      server ??= await startOn(port);
    },
    async remove() {
      await client.close();
      await stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
