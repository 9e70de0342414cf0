import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CommandFailure, EXIT } from '../command/exit.ts';
import { type Ending, runCommandLine } from '../command/run.ts';
import { reasonOf, UpstreamFailure } from '../upstream/failure.ts';
import { addCheck } from './check.ts';
import { addExport } from './export.ts';
import { addImport } from './import.ts';
import { addKeygen } from './keygen.ts';
import { PipeClosed } from './output.ts';
import { addPublish } from './publish.ts';
import { addSubscribe } from './subscribe.ts';
import { Interrupt, type Surroundings } from './surroundings.ts';

const COMMANDS = [addKeygen, addPublish, addSubscribe, addImport, addExport, addCheck];

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
export const runCommand = (args: readonly string[], surroundings: Surroundings): Promise<number> =>
  runCommandLine(
    {
      description: 'Speak to a Nostr relay: keys, publish, subscribe, import, export.',
      add(program, end) {
        program.version(readVersion()).addHelpText('after', HELP);
        for (const add of COMMANDS) add(program, surroundings, end);
      },
      endingOf,
    },
    args,
    surroundings,
  );

function endingOf(error: unknown): Ending | undefined {
  if (error instanceof PipeClosed) return { code: EXIT.done };
  const message = reasonOf(error);
  if (error instanceof Interrupt) return { code: error.exitCode, message };
  if (error instanceof CommandFailure) return { code: error.exitCode, message };
  if (error instanceof UpstreamFailure) return { code: EXIT.unreachable, message };
  return undefined;
}

/** The version in the package.json of this folder or the nearest one above. */
function readVersion(folder = import.meta.dirname): string {
  const path = join(folder, 'package.json');
  if (existsSync(path))
    return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
  const above = dirname(folder);
  return above === folder ? 'unknown' : readVersion(above);
}
