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
  const command = define().exitOverride().configureOutput({ writeOut: print, writeErr: print });
  try {
    command.parse([...argv], { from: 'user' });
    const given = command.opts<{
      port?: number;
      data?: string;
      relays?: number;
      verbose: boolean;
    }>();
    const port = given.port ?? fromVariable(command, settings.port, env);
    const data = given.data ?? fromVariable(command, settings.data, env);
    const relays = given.relays ?? fromVariable(command, settings.relays, env);
    if (port + relays - 1 > portMax) {
      command.error(`error: ${relays} relays from port ${port} on would pass port ${portMax}`);
    }
    const { verbose } = given;
    return { ok: true, value: { port, data, relays, verbose, showFrom: shownFrom(verbose, env) } };
  } catch (error) {
    const { exitCode = 1 } = error as { exitCode?: number };
    return { ok: false, fault: { text, exitCode } };
  }
}

/** An option's check, and what stands in for it: a variable, else a value. */
interface Setting<T> {
  readonly parse: (text: string) => T;
  readonly variable: string;
  readonly fallback: string;
}

const portMax = 65_535;
const settings = {
  port: { parse: wholeNumber(1, portMax), variable: 'PORT', fallback: '8080' },
  data: { parse: folderName, variable: 'DATA_DIR', fallback: '.data' },
  relays: { parse: wholeNumber(1, relaysMax), variable: 'RELAYS', fallback: '1' },
} satisfies Record<string, Setting<unknown>>;

function define(): Command {
  return new Command('npm start --')
    .description('Runs a whole Distrise on this machine: relays, functions, queue and database.')
    .addOption(option('-p, --port <port>', 'instance i of the relay listens on port + i', 'port'))
    .addOption(option('-d, --data <folder>', 'where all is kept; made if missing', 'data'))
    .addOption(option('-r, --relays <count>', 'how many instances of the relay to run', 'relays'))
    .option('-v, --verbose', 'show every log line, not only warnings and errors', false)
    .allowExcessArguments(false)
    .showHelpAfterError('(npm start -- --help explains the options)')
    .addHelpText(
      'after',
      '\nThe parts read the same environment variables as in the cloud; PORT, DATA_DIR and RELAYS\n' +
        'stand in for options not given. With PUBSUB_EMULATOR_HOST, MONITORING_EMULATOR_HOST or\n' +
        'DATABASE_URL set, that queue, monitoring or database is used instead of a built-in one.\n' +
        'With PROBE_SECRET_KEY set, a probe looks at the relay once a minute.',
    );
}

function option(flags: string, description: string, name: keyof typeof settings): Option {
  const { parse, variable, fallback } = settings[name];
  return new Option(flags, description)
    .argParser(parse as (text: string) => unknown)
    .default(undefined, `${variable}, else ${fallback}`);
}

/** A wrong variable matters only where no option overrules it. */
function fromVariable<T>(command: Command, setting: Setting<T>, env: NodeJS.ProcessEnv): T {
  const { parse, variable, fallback } = setting;
  const text = env[variable] || fallback;
  try {
    return parse(text);
  } catch (error) {
    return command.error(`error: variable ${variable} is '${text}'. ${(error as Error).message}`);
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
