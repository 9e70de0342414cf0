import type { Readable, Writable } from 'node:stream';

/** All that a command sees of the world besides files and the network. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable & { readonly isTTY?: boolean };
  /** Aborted when the user or the system wants the command to end; the reason is an `Interrupt`. */
  readonly signal: AbortSignal;
  nowSeconds(): number;
}

/** Takes a command's exit code. */
export type EndWith = (code: number) => void;

/** Why a command is to end early. */
export class Interrupt extends Error {
  override readonly name = 'Interrupt';
  readonly signalName: 'SIGINT' | 'SIGTERM' | 'SIGHUP';

  constructor(signalName: Interrupt['signalName']) {
    super(`interrupted by ${signalName}`);
    this.signalName = signalName;
  }

  /** What a shell expects of a process that a signal ended. */
  get exitCode(): number {
    return 128 + { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 }[this.signalName];
  }
}

/** Writes one line for people; it never mixes with the data on stdout. */
export function tell(surroundings: Surroundings, line: string): void {
  surroundings.stderr.write(`${line}\n`);
}
