import type { Writable } from 'node:stream';
import { Command, CommanderError } from 'commander';
import { reasonOf } from '../upstream/failure.ts';
import { EXIT } from './exit.ts';

/** Where a command line was typed. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/** Takes a command's exit code. */
export type EndWith = (code: number) => void;

/** What an error comes to. */
export interface Ending {
  readonly code: number;
  /** What is said of it; absent where there is nobody to hear it. */
  readonly message?: string;
}

/** A command line with its commands. */
export interface CommandLine {
  readonly description: string;
  /** Adds the commands, and what else there is to say. */
  add(program: Command, end: EndWith): void;
  /** What an error comes to; undefined where it is out of our hands, or a fault of ours. */
  endingOf(error: unknown): Ending | undefined;
}

/** Runs `distrise` with some commands and gives its exit code. Never throws. */
export async function runCommandLine(
  { description, add, endingOf }: CommandLine,
  args: readonly string[],
  terminal: Terminal,
): Promise<number> {
  let code: number = EXIT.done;
  try {
    const program = programFor(description, terminal);
    add(program, (given) => {
      code = given;
    });
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    // commander has said what there is to say; help that was asked for is no error.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    const ending = endingOf(error);
    if (ending?.message !== undefined) tell(terminal, `distrise: ${ending.message}`);
    return ending?.code ?? broken(error, terminal);
  }
}

function programFor(description: string, { stdout, stderr }: Terminal): Command {
  return new Command('distrise')
    .description(description)
    .helpCommand(true)
    .showSuggestionAfterError(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'distrise: ')),
    });
}

function broken(error: unknown, terminal: Terminal): number {
  tell(terminal, `distrise: ${reasonOf(error)}`);
  // The trace helps whoever reports it.
  if (terminal.env['DISTRISE_DEBUG']) tell(terminal, String((error as Error)?.stack));
  return EXIT.file;
}

/** Writes one line for people; it never mixes with the data on stdout. */
export function tell({ stderr }: Pick<Terminal, 'stderr'>, line: string): void {
  stderr.write(`${line}\n`);
}
