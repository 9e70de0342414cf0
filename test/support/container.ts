import { type ChildProcess, execFile, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { until } from './until.ts';

const execute = promisify(execFile);

/** A line of a Dockerfile: `COPY`, and what stands after it. */
export interface Instruction {
  readonly name: string;
  readonly text: string;
}

/** What a Dockerfile makes, as folders of this machine. */
export interface Image {
  /** What stands for the root of the container's file system. */
  readonly root: string;
  /** Where it starts, within the root. */
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
  readonly user: string;
  readonly command: readonly string[];
  readonly stopSignal: NodeJS.Signals;
  remove(): void;
}

export interface BuildOptions {
  /** The folder that COPY copies from. */
  readonly context: string;
  readonly dockerfile: string;
  /** Commands that are done in another way here, by their text. */
  readonly instead?: Readonly<Record<string, (directory: string) => void>>;
}

/** The nobody of Linux; the image's own user exists only there. */
const OTHER_USER = 65_534;

/** Splits a Dockerfile into its instructions; comments and empty lines are left out. */
function parseDockerfile(text: string): Instruction[] {
  return text
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name = '', rest = ''] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
      return { name, text: rest };
    });
}

/** True where .dockerignore keeps the path out: the last pattern that fits decides. */
function isIgnored(path: string, patterns: string): boolean {
  let ignored = false;
  for (const line of patterns.split('\n').map((each) => each.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const pattern = line.replace(/^!/, '');
    const expression = pattern.replaceAll('.', '\\.').replaceAll('*', '[^/]*');
    if (new RegExp(`^${expression}(/|$)`).test(path)) ignored = !line.startsWith('!');
  }
  return ignored;
}

interface Stage {
  readonly root: string;
  directory: string;
  env: Record<string, string>;
  user: string;
  command: string[];
  stopSignal: NodeJS.Signals;
}

/**
 * Does what `docker build` does with the instructions that ours uses, each stage in a folder of its
 * own, on this machine instead of the base image. Throws on an instruction that it does not know.
 */
export async function buildImage(options: BuildOptions): Promise<Image> {
  const base = fs.mkdtempSync(join(tmpdir(), 'distrise-image-'));
  const bin = join(base, 'bin');
  fs.mkdirSync(bin);
  fs.copyFileSync(process.execPath, join(bin, 'node'));
  const stages = new Map<string, Stage>();
  let stage: Stage | undefined;
  for (const instruction of parseDockerfile(fs.readFileSync(options.dockerfile, 'utf8'))) {
    if (instruction.name === 'FROM') {
      const [image = '', , name = `${stages.size}`] = instruction.text.split(/\s+/);
      if (!/^node:24(-slim)?$/.test(image)) throw new Error(`another base image: ${image}`);
      stage = {
        root: join(base, name),
        directory: '/',
        env: {},
        user: 'root',
        command: [],
        stopSignal: 'SIGTERM',
      };
      fs.mkdirSync(stage.root);
      stages.set(name, stage);
    } else if (stage === undefined) throw new Error(`${instruction.name} before FROM`);
    else await carryOut(instruction, stage, stages, options, bin);
  }
  if (stage === undefined) throw new Error('the Dockerfile has no FROM');
  fs.chmodSync(base, 0o755);
  fs.renameSync(bin, join(stage.root, 'bin'));
  // Read-only for everybody, as the container's file system can be.
  await execute('chmod', ['-R', 'a-w,a+rX', stage.root]);
  return {
    ...stage,
    remove() {
      fs.rmSync(base, { recursive: true, force: true });
    },
  };
}

async function carryOut(
  { name, text }: Instruction,
  stage: Stage,
  stages: ReadonlyMap<string, Stage>,
  options: BuildOptions,
  bin: string,
): Promise<void> {
  const here = join(stage.root, stage.directory);
  switch (name) {
    case 'WORKDIR':
      stage.directory = text;
      fs.mkdirSync(join(stage.root, text), { recursive: true });
      return;
    case 'ENV': {
      const [key = '', value = ''] = text.split('=');
      stage.env[key] = value;
      return;
    }
    case 'COPY':
      copy(text, here, stages, options.context);
      return;
    case 'RUN': {
      const instead = options.instead?.[text];
      if (instead !== undefined) instead(here);
      else await run(text, here, { ...stage.env, PATH: `${bin}:${process.env['PATH']}` });
      return;
    }
    case 'USER':
      stage.user = text;
      return;
    case 'STOPSIGNAL':
      stage.stopSignal = text as NodeJS.Signals;
      return;
    case 'CMD':
      stage.command = JSON.parse(text) as string[];
      return;
    case 'EXPOSE':
      return;
    default:
      throw new Error(`this build does not know ${name}`);
  }
}

async function run(command: string, cwd: string, env: Record<string, string>): Promise<void> {
  try {
    await execute('sh', ['-c', command], {
      cwd,
      env: { ...process.env, NODE_OPTIONS: '', ...env },
      maxBuffer: 1 << 26,
    });
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`RUN ${command} failed:\n${stdout}\n${stderr}`);
  }
}

function copy(
  text: string,
  here: string,
  stages: ReadonlyMap<string, Stage>,
  context: string,
): void {
  const words = text.split(/\s+/);
  const from = words[0]?.startsWith('--from=') ? words.shift()?.slice('--from='.length) : undefined;
  const target = words.pop() ?? '';
  const source = from === undefined ? context : stages.get(from)?.root;
  if (source === undefined) throw new Error(`COPY from an unknown stage: ${from}`);
  const patterns = fs.readFileSync(join(context, '.dockerignore'), 'utf8');
  for (const word of words) {
    const path = join(source, word);
    const isFolder = fs.statSync(path).isDirectory();
    // A folder's content goes to the target, a file into it when it ends in a slash.
    const to =
      isFolder || !target.endsWith('/') ? join(here, target) : join(here, target, basename(word));
    fs.cpSync(path, to, {
      recursive: true,
      verbatimSymlinks: true,
      filter: (each) => from !== undefined || !isIgnored(each.slice(context.length + 1), patterns),
    });
    if (!fs.existsSync(to)) throw new Error(`COPY ${word}: .dockerignore keeps it out`);
  }
}

/** A process as the container would run it. */
export interface Contained {
  readonly child: ChildProcess;
  readonly output: () => string;
  /** Resolves with the exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals | null>;
  /** Milliseconds from its start to the first socket that it accepted. */
  accepting(port: number): Promise<number>;
  /** Resident memory in MiB. */
  memory(): number;
}

/** Starts a command in the image: its user, its folder, and no environment but what is given. */
export function startIn(
  image: Image,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Contained {
  const began = performance.now();
  const isRoot = process.getuid?.() === 0;
  const child = spawn(join(image.root, 'bin', 'node'), args, {
    cwd: join(image.root, image.directory),
    env: { ...image.env, HOME: '/nonexistent', PATH: '/usr/bin:/bin', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(isRoot ? { uid: OTHER_USER, gid: OTHER_USER } : {}),
  });
  let output = '';
  const take = (text: string): void => {
    output = (output + text).slice(-100_000);
  };
  child.stdout.setEncoding('utf8').on('data', take);
  child.stderr.setEncoding('utf8').on('data', take);
  const exited = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? signal));
  });
  return {
    child,
    output: () => output,
    exited,
    async accepting(port) {
      let acceptedMs = 0;
      const accepted = async (): Promise<boolean> => {
        // More often than `until` asks, which would be coarse beside what is measured.
        for (let turn = 0; turn < 10 && child.exitCode === null; turn += 1) {
          if (await accepts(port)) {
            acceptedMs = performance.now() - began;
            return true;
          }
          await pause(3);
        }
        return child.exitCode !== null;
      };
      await until(accepted, { timeoutMs: 60_000, what: 'the first accepted socket' });
      if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}:\n${output}`);
      return acceptedMs;
    },
    memory() {
      const status = fs.readFileSync(`/proc/${child.pid}/status`, 'utf8');
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024;
    },
  };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
