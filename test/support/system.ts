import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SocketClient } from './socket-client.ts';
import { until } from './until.ts';

/** The whole system, as `npm start` runs it, on free ports and with data of its own. */
export interface System {
  /** Addresses of the relay instances. */
  readonly urls: readonly string[];
  /** The data folder. */
  readonly directory: string;
  /** What the system has written to its terminal, the last part of it. */
  readonly log: () => string;
  /** Process id of a part (`relay-0`, `store`, `postgres`, `pubsub` …), undefined while it is down. */
  pid(part: string): number | undefined;
  /** An address as the system noted it: `DATABASE_URL`, `PUBSUB_EMULATOR_HOST` …. */
  variable(name: string): string;
  /** Names of the parts that have a process id now. */
  parts(): string[];
  /** Signals one part, SIGKILL by default; gives the process id that it had. */
  kill(part: string, signal?: NodeJS.Signals): number;
  /** Kills everything at once, as a power cut does; `start` brings it back. */
  killAll(): Promise<void>;
  /** Starts it again after `killAll` or `stop`, on the same ports and data; waits for every part. */
  start(): Promise<void>;
  /** Waits until every instance answers a REQ. */
  ready(timeoutMs?: number): Promise<void>;
  /** Ctrl-C; an error unless everything ends in time with exit code 0. */
  stop(): Promise<void>;
  /** Stops what runs and removes the data. */
  remove(): Promise<void>;
}

export interface SystemOptions {
  /** Number of relay instances. */
  readonly relays?: number;
  /** A folder that is there already and stays; otherwise a temporary one is made and removed. */
  readonly data?: string;
  readonly env?: Readonly<Record<string, string>>;
}

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 12_000;
const LOG_CHARACTERS_MAX = 200_000;
const MAIN = new URL('../../functions/local/main.ts', import.meta.url).pathname;

/**
 * Ends the system's process group when its own standard input closes without a word, which the
 * kernel sees to when the test process is gone, however that ended.
 */
const WATCHDOG = 'read -r word || kill -KILL -- "-$0"';

/** Starts the system and waits until every part answers. */
export async function startSystem(options: SystemOptions = {}): Promise<System> {
  const relays = options.relays ?? 1;
  const directory = options.data ?? (await mkdtemp(join(tmpdir(), 'distrise-system-')));
  const port = await freePorts(relays);
  const urls = Array.from({ length: relays }, (_, index) => `ws://127.0.0.1:${port + index}`);
  const run = new Run(directory, ['--port', `${port}`, '--relays', `${relays}`], options.env ?? {});
  const ready = async (timeoutMs = START_TIMEOUT_MS): Promise<void> => {
    await Promise.all(urls.map((url) => until(() => answers(url, run), { timeoutMs, what: url })));
  };
  const start = async (): Promise<void> => {
    run.start();
    try {
      await ready();
      // The parts start side by side, so a relay may answer before a function can be called.
      for (const name of ['FETCH_URL', 'UPKEEP_URL']) {
        const url = new URL(run.variable(name));
        await until(() => listens(url, run), { timeoutMs: START_TIMEOUT_MS, what: name });
      }
    } catch (error) {
      await run.killAll();
      throw new Error(`the system did not start:\n${run.log.slice(-5_000)}`, { cause: error });
    }
  };
  const remove = async (): Promise<void> => {
    await run.killAll();
    if (options.data === undefined) await rm(directory, { recursive: true, force: true });
  };
  await start().catch(async (error: unknown) => {
    await remove();
    throw error;
  });
  return {
    urls,
    directory,
    log: () => run.log,
    pid: (part) => run.pid(part),
    variable: (name) => run.variable(name),
    parts: () => run.parts(),
    kill: (part, signal) => run.kill(part, signal),
    killAll: () => run.killAll(),
    start,
    ready,
    stop: () => run.stop(),
    remove,
  };
}

/** For a jest file: one system for all its tests, stopped (with exit code 0) after the last. */
export function useSystem(options: SystemOptions = {}): () => System {
  let system: System | undefined;
  beforeAll(async () => {
    system = await startSystem(options);
  }, START_TIMEOUT_MS + 10_000);
  afterAll(async () => {
    try {
      await system?.stop();
    } finally {
      await system?.remove();
    }
  }, STOP_TIMEOUT_MS * 2);
  return () => {
    if (system === undefined) throw new Error('the system runs only inside tests and hooks');
    return system;
  };
}

async function answers(url: string, run: Run): Promise<true> {
  if (!run.isRunning) throw new Error('the system has ended');
  const client = await SocketClient.open(url, 2_000);
  try {
    await client.query({ ids: ['0'.repeat(64)] }, 5_000);
    return true;
  } finally {
    client.terminate();
  }
}

function listens(url: URL, run: Run): Promise<true> {
  if (!run.isRunning) throw new Error('the system has ended');
  return new Promise((resolve, reject) => {
    const socket = connect(Number(url.port), url.hostname, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', reject);
  });
}

/** The processes of one system. */
class Run {
  log = '';
  private readonly directory: string;
  private readonly flags: readonly string[];
  private readonly env: Readonly<Record<string, string>>;
  private child: ChildProcess | undefined;
  private watchdog: ChildProcess | undefined;
  private ended: Promise<number | null> = Promise.resolve(null);

  constructor(directory: string, flags: readonly string[], env: Readonly<Record<string, string>>) {
    this.directory = directory;
    this.flags = [...flags, '--data', directory];
    this.env = env;
  }

  get isRunning(): boolean {
    return this.child !== undefined;
  }

  start(): void {
    if (this.child !== undefined) throw new Error('the system runs already');
    const child = spawn(process.execPath, [MAIN, ...this.flags], {
      // A group of its own, so that SIGINT reaches all parts as Ctrl-C does.
      detached: true,
      env: { ...process.env, ...this.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const take = (text: string): void => {
      this.log = (this.log + text).slice(-LOG_CHARACTERS_MAX);
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => take(String(error)));
      child.once('exit', (code) => {
        this.child = undefined;
        this.watchdog?.stdin?.end('over\n');
        resolve(code);
      });
    });
    this.child = child;
    this.watchdog = spawn('sh', ['-c', WATCHDOG, `${child.pid}`], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
  }

  pid(part: string): number | undefined {
    try {
      const pid = Number(readFileSync(join(this.directory, 'run', `${part}.pid`), 'utf8'));
      return Number.isInteger(pid) && pid > 0 && isAlive(pid) ? pid : undefined;
    } catch {
      return undefined;
    }
  }

  variable(name: string): string {
    const lines = readFileSync(join(this.directory, 'run', 'environment'), 'utf8').split('\n');
    const line = lines.find((each) => each.startsWith(`${name}=`));
    if (line === undefined) throw new Error(`the system noted no ${name}`);
    return line.slice(name.length + 1);
  }

  parts(): string[] {
    return readdirSync(join(this.directory, 'run'))
      .filter((name) => name.endsWith('.pid'))
      .map((name) => name.slice(0, -'.pid'.length))
      .filter((part) => this.pid(part) !== undefined);
  }

  kill(part: string, signal: NodeJS.Signals = 'SIGKILL'): number {
    const pid = this.pid(part);
    if (pid === undefined) throw new Error(`${part} does not run`);
    process.kill(pid, signal);
    return pid;
  }

  async killAll(): Promise<void> {
    const pids = this.child === undefined ? [] : this.parts().map((part) => this.pid(part));
    if (this.child?.pid !== undefined) process.kill(-this.child.pid, 'SIGKILL');
    await this.ended;
    // Parts outside the group end by themselves when the supervisor is gone; a next start, and
    // the removal of the folder, must not find them in their last breath.
    await until(() => !pids.some((pid) => pid !== undefined && isAlive(pid)), {
      timeoutMs: STOP_TIMEOUT_MS,
      what: `the end of the processes ${pids.join(', ')}`,
    });
  }

  async stop(): Promise<void> {
    const { child } = this;
    if (child?.pid === undefined) throw new Error(`the system has ended by itself:\n${this.log}`);
    process.kill(-child.pid, 'SIGINT');
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), STOP_TIMEOUT_MS);
    });
    const code = await Promise.race([this.ended, late]);
    clearTimeout(timer);
    if (code === 0) return;
    const why = code === 'late' ? `still runs ${STOP_TIMEOUT_MS} ms after SIGINT` : `exit ${code}`;
    const log = this.log.slice(-5_000);
    await this.killAll();
    throw new Error(`the system did not stop well: ${why}\n${log}`);
  }
}

/** True for a running process; one that has ended but was not waited for counts as gone. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z';
  } catch {
    // No /proc on this system, or gone since.
    return process.platform !== 'linux';
  }
}

/** Apart from the ports of inner parts, and each of jest's workers apart from the others. */
const PORTS_A_WORKER = 1_000;
const FIRST_PORT = 10_000 + (Number(process.env['JEST_WORKER_ID'] ?? 0) % 9) * PORTS_A_WORKER;
const LAST_PORT = FIRST_PORT + PORTS_A_WORKER;

/** The first of `count` ports in a row that are all free, below those that the system hands out. */
export async function freePorts(count: number): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const first = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT - count));
    const ports = Array.from({ length: count }, (_, index) => first + index);
    const free = await Promise.all(ports.map(isFree));
    if (free.every(Boolean)) return first;
  }
  throw new Error(`no ${count} free ports in a row`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, () => probe.close(() => resolve(true)));
  });
}
