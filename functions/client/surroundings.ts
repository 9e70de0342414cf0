import type { Readable, Writable } from 'node:stream';
import type { Terminal } from '../command/run.ts';

export { type EndWith, tell } from '../command/run.ts';

/** All that a command sees of the world besides files and the network. */
export interface Surroundings extends Terminal {
  readonly stdin: Readable;
  readonly stderr: Writable & { readonly isTTY?: boolean };
  /** Aborted when the user or the system wants the command to end; the reason is an `Interrupt`. */
  readonly signal: AbortSignal;
  nowSeconds(): number;
}

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
