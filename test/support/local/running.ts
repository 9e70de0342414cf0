import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspectProcess } from '../../../functions/local/processes.ts';
import { until } from '../until.ts';

export interface StartOptions {
  readonly port: number;
  readonly data: string;
  readonly relays?: number;
  /** What to run; `npm start --` unless given. */
  readonly command?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** `npm start` as a terminal runs it: a process group of its own, with output to look at. */
export class RunningSystem {
  readonly data: string;
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #closed: Promise<number | null>;
  #output = '';

  constructor(options: StartOptions) {
    const { port, data, relays = 1, command = ['npm', 'start', '--'], env = process.env } = options;
    this.data = data;
    this.port = port;
    const [program, ...words] = command;
    if (program === undefined) throw new Error('nothing to run');
    const own = ['--port', String(port), '--data', data, '--relays', String(relays)];
    this.#child = spawn(program, [...words, ...own], { detached: true, env });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
      });
    }
    this.#closed = new Promise((resolve) => this.#child.once('close', resolve));
  }

  /** Everything printed so far. */
  get output(): string {
    return this.#output;
  }

  /** Resolves when it says that it runs; fails with its output if it ends before. */
  async ready(): Promise<this> {
    const ended = () => this.#child.exitCode !== null || this.#child.signalCode !== null;
    await until(() => this.#output.includes('Distrise is running') || ended(), {
      timeoutMs: 60_000,
      what: 'the start of the system',
    });
    if (ended()) throw new Error(`the system did not start:\n${this.#output}`);
    return this;
  }

  /** The exit code once the process and its output have ended. */
  exited(): Promise<number | null> {
    return this.#closed;
  }

  /** To every process of the group, as a terminal does. */
  signalGroup(signal: NodeJS.Signals): void {
    if (this.#child.pid !== undefined) process.kill(-this.#child.pid, signal);
  }

  /** The process id of a part, as its file in the data folder names it. */
  pid(name: string): number {
    return Number(readFileSync(join(this.data, 'run', `${name}.pid`), 'utf8'));
  }

  /** The process ids of all parts that the data folder names and that really run. */
  pids(): number[] {
    return readdirSync(join(this.data, 'run'))
      .filter((file) => file.endsWith('.pid'))
      .map((file) => this.pid(file.slice(0, -'.pid'.length)))
      .filter((pid) => inspectProcess(pid) !== undefined);
  }

  /** Ends it, whatever its state. */
  async end(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.signalGroup('SIGINT');
      await this.#closed;
    }
  }
}
