import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { reasonOf, UpstreamFailure } from '../upstream/failure.ts';
import { addCheck } from './check.ts';
import { CommandFailure, EXIT } from './exit.ts';
import { addExport } from './export.ts';
import { addImport } from './import.ts';
import { addKeygen } from './keygen.ts';
import { PipeClosed } from './output.ts';
import { addPublish } from './publish.ts';
import { addSubscribe } from './subscribe.ts';
import { Interrupt, type Surroundings, tell } from './surroundings.ts';

const HELP = `
Examples:
  distrise keygen --output ~/.nostr-key
  distrise publish --key-file ~/.nostr-key "hello world"
  distrise subscribe --kind 1 --since 1h
  distrise import events.jsonl.gz
  distrise export --author npub1… --output mine.jsonl
  distrise check wss://relay.example

For operators, who have the database at hand (distrise COMMAND --help):
  sources               relays that events are fetched from: list, add, pause, probe, coverage
  provenance            where an event was first seen, and when
  trace                 the way of one event: received, OK, stored, delivered, or why not
  dead-letters          what could not be stored: list, show, replay, discard
  metrics               what is written to Cloud Monitoring, and its price
  cost                  what a month on Google Cloud costs, by profile
  health                whether revisions do well, for the pipeline between two steps

Environment:
  DISTRISE_RELAY        address of the relay where --relay is not given
  DISTRISE_SECRET_KEY   secret key (hex or nsec) where --key-file is not given`;

/** Runs the command line and gives its exit code. Never throws. */
export async function runCommand(
  args: readonly string[],
  surroundings: Surroundings,
): Promise<number> {
  let code: number = EXIT.done;
  try {
    await buildProgram(surroundings, (given) => {
      code = given;
    }).parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    return codeOf(error, surroundings);
  }
}

function buildProgram(surroundings: Surroundings, onCode: (code: number) => void): Command {
  const program = new Command('distrise')
    .description('Speak to a Nostr relay: keys, publish, subscribe, import, export.')
    .version(readVersion())
    .helpCommand(true)
    .showSuggestionAfterError(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => surroundings.stdout.write(text),
      writeErr: (text) => surroundings.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'distrise: ')),
    })
    .addHelpText('after', HELP);
  for (const add of [addKeygen, addPublish, addSubscribe, addImport, addExport, addCheck]) {
    add(program, surroundings, onCode);
  }
  return program;
}

function codeOf(error: unknown, surroundings: Surroundings): number {
  // commander has said what there is to say; help that was asked for is no error.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (error instanceof PipeClosed) return EXIT.done;
  tell(surroundings, `distrise: ${reasonOf(error)}`);
  if (error instanceof Interrupt) return error.exitCode;
  if (error instanceof CommandFailure) return error.exitCode;
  if (error instanceof UpstreamFailure) return EXIT.unreachable;
  // Out of our hands, or a fault of ours: the trace helps whoever reports it.
  if (surroundings.env['DISTRISE_DEBUG']) tell(surroundings, String((error as Error)?.stack));
  return EXIT.file;
}

/** The version in the package.json of this folder or the nearest one above. */
function readVersion(folder = import.meta.dirname): string {
  const path = join(folder, 'package.json');
  if (existsSync(path))
    return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
  const above = dirname(folder);
  return above === folder ? 'unknown' : readVersion(above);
}
