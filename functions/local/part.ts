import { type ChildProcess, spawn } from 'node:child_process';
import { type OutputStream, parseEntry, type Severity } from './entry.ts';
import { firstStartFailuresMax, readyMsMax, restartMs, restartMsMax, tailLines } from './limits.ts';
import { readLines } from './lines.ts';

/** How one part of the system is run. */
export interface PartSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** The user it runs as, where that is not the supervisor's own. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /**
   * How it is known to be ready: it says `{ready: true}` over its channel, or, having none, a
   * question about its process is answered with yes.
   */
  readonly ready: 'message' | ((pid: number) => boolean);
  readonly readyMsMax?: number;
  /** What must be done before each start, such as clearing what a killed one left. */
  readonly prepare?: () => Promise<void>;
}

/** What a part tells its supervisor. */
export interface PartHost {
  line(name: string, stream: OutputStream, line: string): void;
  note(severity: Severity, message: string): void;
  started(name: string, pid: number): void;
  ended(name: string): void;
}

/** A signal and the time it gets before the next one. SIGKILL always follows the last. */
export interface StopStep {
  readonly signal: NodeJS.Signals;
  readonly waitMs: number;
}

/**
 * One process of the system, started again whenever it dies. It has a session of its own, so that
 * a terminal's Ctrl-C reaches only the supervisor, which then stops the parts in good order.
 */
export class Part {
  readonly name: string;
  readonly #spec: PartSpec;
  readonly #host: PartHost;
  #child: ChildProcess | undefined;
  #ready = false;
  #everReady = false;
  #stopping = false;
  #failures = 0;
  #tail: string[] = [];
  #restart: NodeJS.Timeout | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #first = Promise.withResolvers<void>();

  constructor(spec: PartSpec, host: PartHost) {
    this.name = spec.name;
    this.#spec = spec;
    this.#host = host;
    // Whoever awaits start() hears of it; nobody else needs to.
    this.#first.promise.catch(() => undefined);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when it is ready for the first time; rejects with its last output if it never is. */
  async start(): Promise<void> {
    void this.#launch();
    await this.#first.promise;
  }

  /** Says something over the part's channel. */
  send(message: object): void {
    // A channel that has just closed means a part that has just died: its exit is acted on.
    if (this.#child?.connected === true) this.#child.send(message, () => undefined);
  }

  /** Closes the channel, as the supervisor's own end would. */
  disconnect(): void {
    this.#stopping = true;
    this.#child?.disconnect();
  }

  /** Ends it for good. */
  async stop(steps: readonly StopStep[]): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    this.#first.reject(new Error(`${this.name} was stopped before it was ready`));
    const child = this.#child;
    if (child === undefined) return;
    const gone = new Promise<'gone'>((resolve) => child.once('exit', () => resolve('gone')));
    for (const { signal, waitMs } of steps) {
      child.kill(signal);
      if ((await Promise.race([gone, after(waitMs)])) === 'gone') return;
    }
    this.#host.note('WARNING', `${this.name} did not stop in time and was killed`);
    child.kill('SIGKILL');
    await gone;
  }

  async #launch(): Promise<void> {
    try {
      await this.#spec.prepare?.();
    } catch (error) {
      this.#tail.push((error as Error).message);
      this.#again('could not be prepared');
      return;
    }
    if (this.#stopping) return;
    const { name, command, args, env, owner, ready } = this.#spec;
    const child = spawn(command, args, {
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', ...(ready === 'message' ? (['ipc'] as const) : [])],
      ...owner,
    });
    this.#child = child;
    this.#ready = false;
    this.#tail = [];
    for (const stream of ['stdout', 'stderr'] as const) {
      const source = child[stream];
      if (source !== null) readLines(source, (line) => this.#take(stream, line));
    }
    child.once('exit', (code, signal) => this.#ended(signal ?? `exit code ${code}`));
    child.once('error', (error) => {
      // Without a process there is no exit either.
      if (child.pid === undefined) this.#ended(error.message);
    });
    if (child.pid === undefined) return;
    this.#host.started(name, child.pid);
    const readyMs = this.#spec.readyMsMax ?? readyMsMax;
    this.#deadline = setTimeout(() => {
      this.#tail.push(`not ready within ${readyMs / 1000} s`);
      child.kill('SIGKILL');
    }, readyMs);
    if (ready === 'message') child.on('message', (message) => this.#heard(message));
    else void this.#ask(child, ready);
  }

  #take(stream: OutputStream, line: string): void {
    this.#tail.push(line);
    if (this.#tail.length > tailLines) this.#tail.shift();
    this.#host.line(this.name, stream, line);
  }

  #heard(message: unknown): void {
    if (typeof message === 'object' && message !== null && 'ready' in message) this.#isReady();
  }

  async #ask(child: ChildProcess, question: (pid: number) => boolean): Promise<void> {
    while (this.#child === child && child.pid !== undefined) {
      if (question(child.pid)) {
        this.#isReady();
        return;
      }
      await after(20);
    }
  }

  #isReady(): void {
    if (this.#ready || this.#child === undefined) return;
    clearTimeout(this.#deadline);
    const back = this.#everReady;
    this.#ready = true;
    this.#everReady = true;
    this.#failures = 0;
    if (back) this.#host.note('NOTICE', `${this.name} is back`);
    this.#first.resolve();
  }

  #ended(how: string): void {
    clearTimeout(this.#deadline);
    this.#child = undefined;
    this.#host.ended(this.name);
    if (!this.#stopping) this.#again(`ended (${how})`);
  }

  #again(what: string): void {
    if (!this.#ready) this.#failures += 1;
    this.#ready = false;
    if (!this.#everReady && this.#failures >= firstStartFailuresMax) {
      // Its last words may still be in the pipe.
      this.#restart = setTimeout(() => this.#giveUp(what), restartMs);
      return;
    }
    const doubled = restartMs * 2 ** Math.max(0, this.#failures - 1);
    const waitMs = Math.min(doubled, restartMsMax);
    // Once is an accident; what keeps happening has a reason, and it stands in the last output.
    const said = this.#failures < 3 ? '' : `. Its last output:\n${this.#said()}`;
    this.#host.note('WARNING', `${this.name} ${what}; starting it again in ${waitMs} ms${said}`);
    this.#restart = setTimeout(() => void this.#launch(), waitMs);
  }

  #giveUp(what: string): void {
    this.#first.reject(
      new Error(`${this.name} would not start: it ${what}. Its last output:\n${this.#said()}`),
    );
  }

  #said(): string {
    return this.#tail.map((line) => `  ${wordsOf(line).replaceAll('\n', '\n  ')}`).join('\n');
  }
}

/** A structured line as people read it. */
function wordsOf(line: string): string {
  const { message, fields } = parseEntry(line, 'stderr');
  const { error } = fields as { error?: { message?: unknown } };
  return error?.message === undefined ? message : `${message}: ${String(error.message)}`;
}

function after(ms: number): Promise<'later'> {
  return new Promise((resolve) => {
    setTimeout(() => resolve('later'), ms).unref();
  });
}
