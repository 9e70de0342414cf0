/** The exit codes of every command, the same as those of the commands for everybody. */
export const EXIT = {
  /** All that was asked for was done. */
  done: 0,
  /** What was asked for is not there, or not possible as things stand. */
  refused: 1,
  /** The command line, the configuration or an input cannot be used. */
  usage: 2,
  /** The database or the relay cannot be reached. */
  unreachable: 3,
  /** A file could not be read, or something broke. */
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

export const EXIT_HELP = `
Exit codes: 0 done, 1 not there or not possible, 2 wrong usage, 3 database or relay not reached,
4 a file failed.`;
