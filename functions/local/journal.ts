import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import {
  formatEntry,
  type LogEntry,
  type OutputStream,
  parseEntry,
  type Severity,
  severities,
} from './entry.ts';
import { logBytesMax } from './limits.ts';

export interface JournalOptions {
  readonly folder: string;
  /** Least severe that people see; files get everything. */
  readonly showFrom: Severity;
  /** Raw lines for machines, or lines for people. */
  readonly format: 'json' | 'pretty';
  readonly terminal: { readonly isTTY?: boolean; write(text: string): unknown };
}

/** Where every part's output goes: its own file whole, the terminal what matters to people. */
export class Journal {
  readonly #options: JournalOptions;
  readonly #files = new Map<string, LogFile>();
  #showFrom: Severity;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#showFrom = options.showFrom;
  }

  /** Takes a line that a part wrote. */
  line(name: string, stream: OutputStream, line: string): void {
    if (line.trim() === '') return;
    this.#file(name).write(line);
    this.#show(name, parseEntry(line, stream), line);
  }

  /** Says something in the supervisor's own name. */
  note(severity: Severity, message: string): void {
    const time = new Date();
    const line = JSON.stringify({ severity, message, time: time.toISOString() });
    this.#file('supervisor').write(line);
    this.#show('supervisor', { severity, message, fields: {} }, line);
  }

  /** While all is being stopped, cut connections are no news: only errors are. */
  quieten(): void {
    if (severities.indexOf(this.#showFrom) < severities.indexOf('ERROR')) this.#showFrom = 'ERROR';
  }

  close(): void {
    for (const file of this.#files.values()) file.close();
    this.#files.clear();
  }

  #show(name: string, entry: LogEntry, line: string): void {
    if (severities.indexOf(entry.severity) < severities.indexOf(this.#showFrom)) return;
    const { terminal, format } = this.#options;
    const pretty = () => formatEntry(name, entry, new Date(), terminal.isTTY === true);
    terminal.write(`${format === 'json' ? line : pretty()}\n`);
  }

  #file(name: string): LogFile {
    let file = this.#files.get(name);
    if (file === undefined) {
      file = new LogFile(join(this.#options.folder, `${name}.log`), logBytesMax);
      this.#files.set(name, file);
    }
    return file;
  }
}

/** A log file that is put aside once it is large, so that two of them are the most there is. */
export class LogFile {
  readonly #path: string;
  readonly #bytesMax: number;
  #descriptor: number;
  #bytes: number;

  constructor(path: string, bytesMax: number) {
    this.#path = path;
    this.#bytesMax = bytesMax;
    this.#descriptor = openSync(path, 'a', 0o600);
    this.#bytes = fstatSync(this.#descriptor).size;
  }

  /** A full disk must not end the system that could still serve, so failures are passed over. */
  write(line: string): void {
    try {
      if (this.#bytes > this.#bytesMax) this.#turn();
      this.#bytes += writeSync(this.#descriptor, `${line}\n`);
    } catch {
      // Nowhere is left to tell it.
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #turn(): void {
    renameSync(this.#path, `${this.#path}.1`);
    closeSync(this.#descriptor);
    this.#descriptor = openSync(this.#path, 'a', 0o600);
    this.#bytes = 0;
  }
}
