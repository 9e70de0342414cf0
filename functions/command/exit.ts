/** The exit codes of every command; the help texts name them. */
export const EXIT = {
  /** All that was asked for was done. */
  done: 0,
  /** What was asked for was refused, is not there or not whole. */
  refused: 1,
  /** The command line, the configuration or an input cannot be used. */
  usage: 2,
  /** The relay or the database cannot be reached, or was lost for good. */
  unreachable: 3,
  /** A file could not be read to its end or not be written, or something broke. */
  file: 4,
} as const;

/** Ends a command with one line on stderr and an exit code. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
  readonly exitCode: number;

  constructor(exitCode: number, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.exitCode = exitCode;
  }
}

export const usageFailure = (message: string): CommandFailure =>
  new CommandFailure(EXIT.usage, message);
