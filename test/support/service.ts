import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { SourceTree } from './previous-version.ts';

/** One service of some version, as a process of its own that ends with the test. */
export interface Service {
  readonly port: number;
  /** The last of what it has logged. */
  readonly log: () => string;
  /** SIGTERM, as Cloud Run sends it. @returns the exit code, and how long the end took. */
  stop(): Promise<{ readonly code: number | null; readonly tookMs: number }>;
  kill(): void;
}

type Variables = Readonly<Record<string, string>>;

const LOG_CHARACTERS_MAX = 50_000;

/** The relay; ready when it takes sockets. */
export function startRelay(tree: SourceTree, variables: Variables): Promise<Service> {
  return start([join(tree.root, 'functions/relay/main.ts')], variables);
}

/** The store function, under functions-framework as in the cloud. */
export function startStore(tree: SourceTree, variables: Variables): Promise<Service> {
  const framework = createRequire(import.meta.url).resolve('@google-cloud/functions-framework');
  const folder = join(tree.root, 'functions');
  const args = [
    `--import=${join(folder, 'local/attach.ts')}`,
    join(dirname(framework), 'main.js'),
    '--target=store',
    `--source=${join(folder, 'store/function.ts')}`,
    '--signature-type=http',
    `--port=${variables['PORT']}`,
  ];
  return start(args, { ...variables, NODE_ENV: 'production' });
}

/** Brings a database to the schema of a version, with that version's own code. */
export async function migrateWith(tree: SourceTree, databaseUrl: string): Promise<void> {
  const file = JSON.stringify(join(tree.root, 'functions/database/migrate.ts'));
  const script = `const { migrate } = await import(${file}); await migrate(${JSON.stringify(databaseUrl)});`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`the migration with ${tree.root} ended with ${code}`);
}

async function start(args: readonly string[], variables: Variables): Promise<Service> {
  const child = spawn(process.execPath, args, {
    env: { ...process.env, METADATA_SERVER_DETECTION: 'none', ...variables },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-LOG_CHARACTERS_MAX);
    });
  }
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const ready = once(child, 'message') as Promise<[{ readonly port: number }]>;
  const first = await Promise.race([ready, exited]);
  if (typeof first[0] !== 'object' || first[0] === null) {
    throw new Error(`${args.join(' ')} ended with ${first[0]}:\n${log}`);
  }
  return {
    port: first[0].port,
    log: () => log,
    stop: () => stop(child, exited),
    kill: () => child.kill('SIGKILL'),
  };
}

async function stop(child: ChildProcess, exited: Promise<[number | null]>) {
  const began = performance.now();
  child.kill('SIGTERM');
  const [code] = await exited;
  return { code, tookMs: performance.now() - began };
}
