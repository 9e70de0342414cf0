import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLog } from '../../functions/cloud/log.ts';
import { startPubSubServer } from '../../functions/local/pubsub/server.ts';

/** A Pub/Sub that tests run against. */
export interface Target {
  readonly port: number;
  stop(): Promise<void>;
}

/** What tests of the local Pub/Sub call a topic on disk and one in memory. */
export const DURABLE_TOPIC = 'kept-topic';
export const VOLATILE_TOPIC = 'passing-topic';

/** Our own server in this process, on a new folder. */
export async function startOurs(): Promise<Target> {
  const dataDir = mkdtempSync(join(tmpdir(), 'distrise-pubsub-'));
  const log = openLog(
    { level: 'error', format: 'json', component: 'pubsub' },
    { write: () => true },
  );
  const server = await startPubSubServer({ port: 0, dataDir, durable: [DURABLE_TOPIC], log });
  return {
    port: server.port,
    stop: async () => {
      await server.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/**
 * The server to compare with: `host:port` of one that runs, or the word `gcloud` for the emulator
 * of the Google Cloud SDK on this machine, which needs Java.
 */
export async function startReference(reference: string): Promise<Target> {
  if (reference !== 'gcloud') {
    return { port: Number(reference.split(':').at(-1)), stop: async () => {} };
  }
  const root = execFileSync('gcloud', ['info', '--format=value(installation.sdk_root)'], {
    encoding: 'utf8',
  }).trim();
  const port = await freePort();
  const child = spawn(
    join(root, 'platform/pubsub-emulator/bin/cloud-pubsub-emulator'),
    ['--host=127.0.0.1', `--port=${port}`],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  await said(child, 'Server started');
  return {
    port,
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve());
        child.kill('SIGKILL');
      }),
  };
}

/** Resolves once the process has written this text. */
function said(child: ChildProcess, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = '';
    const read = (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes(text)) resolve();
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`ended before it said "${text}":\n${output}`)));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
