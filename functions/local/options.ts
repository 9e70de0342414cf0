import { Command, InvalidArgumentError, Option } from 'commander';
import { type Severity, severities } from './entry.ts';
import { relaysMax } from './limits.ts';

export interface LocalOptions {
  /** Relay instance i listens on port + i. */
  readonly port: number;
  readonly data: string;
  readonly relays: number;
  /** Least severe log line that is shown. */
  readonly showFrom: Severity;
  readonly verbose: boolean;
}

/** What commander would print and exit with, as a value, so that parsing is a pure function. */
export interface OptionsFault {
  readonly text: string;
  readonly exitCode: number;
}

/** Reads the command line; variables of the environment stand in for options not given. */
export function parseOptions(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): { ok: true; value: LocalOptions } | { ok: false; fault: OptionsFault } {
  let text = '';
  const print = (piece: string): void => {
    text += piece;
  };
  const command = define(env).exitOverride().configureOutput({ writeOut: print, writeErr: print });
  try {
    command.parse([...argv], { from: 'user' });
    const { port, data, relays, verbose } = command.opts<LocalOptions>();
    if (port + relays - 1 > 65_535) {
      command.error(`error: ${relays} relays from port ${port} on would pass port 65535`);
    }
    return { ok: true, value: { port, data, relays, verbose, showFrom: shownFrom(verbose, env) } };
  } catch (error) {
    const { exitCode = 1 } = error as { exitCode?: number };
    return { ok: false, fault: { text, exitCode } };
  }
}

function define(env: NodeJS.ProcessEnv): Command {
  return new Command('npm start --')
    .description('Runs a whole Distrise on this machine: relays, functions, queue and database.')
    .addOption(
      withDefault(
        new Option('-p, --port <port>', 'first relay listens here, the next ones on the following'),
        wholeNumber(1, 65_535),
        { variable: 'PORT', value: '8080' },
        env,
      ),
    )
    .addOption(
      withDefault(
        new Option('-d, --data <folder>', 'where everything is kept; made if missing'),
        folderName,
        { variable: 'DATA_DIR', value: '.data' },
        env,
      ),
    )
    .addOption(
      withDefault(
        new Option('-r, --relays <count>', 'how many relay instances to run'),
        wholeNumber(1, relaysMax),
        { variable: 'RELAYS', value: '1' },
        env,
      ),
    )
    .option('-v, --verbose', 'show every log line, not only warnings and errors', false)
    .allowExcessArguments(false)
    .showHelpAfterError('(npm start -- --help explains the options)')
    .addHelpText(
      'after',
      '\nThe parts read the same environment variables as in the cloud; PORT, DATA_DIR and RELAYS\n' +
        'stand in for options not given. With PUBSUB_EMULATOR_HOST or DATABASE_URL set, that queue\n' +
        'or database is used instead of a built-in one.',
    );
}

/** The default takes the same way through the check as a value of the command line. */
function withDefault<T>(
  option: Option,
  parse: (text: string) => T,
  fallback: { variable: string; value: string },
  env: NodeJS.ProcessEnv,
): Option {
  const given = env[fallback.variable];
  const text = given === undefined || given === '' ? fallback.value : given;
  try {
    return option.argParser(parse).default(parse(text), text);
  } catch (error) {
    const { message } = error as Error;
    // Only an explicit option can make a wrong variable harmless, so it waits until it is used.
    return option.argParser(parse).default(undefined, `${fallback.variable} ${message}`);
  }
}

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    }
    return value;
  };
}

function folderName(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('It must name a folder.');
  return text;
}

/** With LOG_LEVEL set, the parts themselves hold back what was not asked for. */
function shownFrom(verbose: boolean, env: NodeJS.ProcessEnv): Severity {
  if (verbose) return 'DEBUG';
  const level = env['LOG_LEVEL']?.toUpperCase();
  return severities.find((each) => each === level) ?? (level === undefined ? 'WARNING' : 'DEBUG');
}
