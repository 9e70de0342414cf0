/** The exit codes of every command; the help texts name them. */
export const EXIT = {
  /** All that was asked for was done. */
  done: 0,
  /** The relay refused something, or what came out is not whole. */
  refused: 1,
  /** The command line, the configuration or an input cannot be used. */
  usage: 2,
  /** No connection to the relay, or it was lost for good. */
  unreachable: 3,
  /** A file could not be read to its end, or not be written. */
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
Exit codes: 0 done, 1 the relay refused something or the result is not whole,
2 wrong usage, 3 no connection or lost for good, 4 a file failed.`;
