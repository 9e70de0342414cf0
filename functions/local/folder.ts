import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { inspectProcess, type ProcessFacts } from './processes.ts';

/** One part's process as noted in the data folder. */
export interface ProcessRecord extends ProcessFacts {
  readonly name: string;
  readonly pid: number;
}

/**
 * The folder that holds everything one system keeps on disk. Only one supervisor at a time has it:
 * the lock is one of the operating system's, so it ends with its holder, however that one dies.
 */
export class DataFolder {
  readonly path: string;
  readonly cluster: string;
  readonly pubsub: string;
  readonly logs: string;
  readonly run: string;
  readonly #lock: DatabaseSync;

  private constructor(path: string, lock: DatabaseSync) {
    this.path = path;
    this.cluster = join(path, 'postgres');
    this.pubsub = join(path, 'pubsub');
    this.logs = join(path, 'log');
    this.run = join(path, 'run');
    this.#lock = lock;
    for (const folder of [this.pubsub, this.logs]) mkdirSync(folder, { recursive: true });
  }

  /** Makes the folder if it is missing and takes its lock; throws a message for people. */
  static open(given: string): DataFolder {
    const path = resolve(given);
    const run = join(path, 'run');
    try {
      mkdirSync(run, { recursive: true });
    } catch (error) {
      throw new Error(`The data folder ${path} cannot be made: ${(error as Error).message}`);
    }
    return new DataFolder(path, takeLock(path, run));
  }

  /** Notes a process, so that people, scripts and the next start find it. */
  note(name: string, pid: number): void {
    const facts = inspectProcess(pid);
    if (facts !== undefined) {
      this.#write(
        `${name}.process`,
        JSON.stringify({ name, pid, ...facts } satisfies ProcessRecord),
      );
    }
    this.#write(`${name}.pid`, String(pid));
  }

  forget(name: string): void {
    for (const end of ['pid', 'process']) rmSync(join(this.run, `${name}.${end}`), { force: true });
  }

  /** What earlier starts noted and did not take back; each must still be proven to be alive. */
  records(): ProcessRecord[] {
    const records: ProcessRecord[] = [];
    for (const file of readdirSync(this.run).filter((each) => each.endsWith('.process'))) {
      const record = parseRecord(readFileSync(join(this.run, file), 'utf8'));
      if (record !== undefined) records.push(record);
    }
    return records;
  }

  /** Puts the addresses of the parts where scripts and people can read them. */
  noteEnvironment(variables: Readonly<Record<string, string>>): void {
    const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
    this.#write('environment', lines.join('\n'));
  }

  /** Takes back every note; the lock stays. */
  clear(): void {
    for (const file of readdirSync(this.run)) {
      if (/\.(pid|process)$/.test(file) || file === 'environment') {
        rmSync(join(this.run, file), { force: true });
      }
    }
  }

  close(): void {
    this.clear();
    this.#lock.close();
  }

  /** A reader never sees half a file, and only the owner may read it. */
  #write(file: string, text: string): void {
    const path = join(this.run, file);
    writeFileSync(`${path}.new`, `${text}\n`, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
}

function takeLock(path: string, run: string): DatabaseSync {
  const file = join(run, 'lock');
  try {
    const lock = new DatabaseSync(file, { timeout: 0 });
    lock.exec('BEGIN EXCLUSIVE');
    chmodSync(file, 0o600);
    return lock;
  } catch (error) {
    if ((error as { errcode?: number }).errcode === 5 /* SQLITE_BUSY */) {
      const pid = readPid(join(run, 'supervisor.pid'));
      const who = pid === undefined ? '' : ` (process ${pid})`;
      throw new Error(
        `Distrise is already running on the data folder ${path}${who}. ` +
          'Stop that one first, or choose another folder with --data and another port with --port.',
      );
    }
    throw new Error(`The data folder ${path} cannot be locked: ${(error as Error).message}`);
  }
}

function readPid(file: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(file, 'utf8'), 10);
    return Number.isNaN(pid) ? undefined : pid;
  } catch {
    return undefined;
  }
}

function parseRecord(text: string): ProcessRecord | undefined {
  try {
    const { name, pid, started, command } = JSON.parse(text) as Partial<ProcessRecord>;
    const whole =
      typeof name === 'string' &&
      typeof pid === 'number' &&
      typeof started === 'string' &&
      typeof command === 'string';
    return whole ? { name, pid, started, command } : undefined;
  } catch {
    return undefined;
  }
}
