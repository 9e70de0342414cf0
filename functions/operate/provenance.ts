import type { Command } from 'commander';
import { readProvenance } from '../database/provenance.ts';
import {
  addDatabaseOptions,
  DATABASE_HELP,
  type DatabaseOptions,
  withDatabase,
} from './database.ts';
import { readEventId } from './event-id.ts';
import { CommandFailure, EXIT, EXIT_HELP } from './exit.ts';
import { type EndWith, print, type Surroundings } from './surroundings.ts';
import { facts } from './table.ts';
import { distance, moment } from './words.ts';

const HELP = `
Examples:
  distrise provenance 5c83da77af1dec6d7289834998ad7aafbd9e2191396d75ec3cc27f5a77226f36
  distrise provenance note1… --json
${DATABASE_HELP}
${EXIT_HELP}`;

/** `provenance`: where an event was first seen, and when. */
export function addProvenance(program: Command, surroundings: Surroundings, end: EndWith): void {
  addDatabaseOptions(
    program.command('provenance <event>').description('where an event was first seen, and when'),
  )
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action(async (given: string, options: DatabaseOptions & { readonly json?: boolean }) => {
      const id = readEventId(given);
      const found = await withDatabase(options, surroundings, (pool) => readProvenance(pool, id));
      if (found === undefined) {
        throw new CommandFailure(EXIT.refused, `event ${id} is not stored here`);
      }
      const { kind, createdAt, source, seenAt } = found;
      const text = options.json
        ? JSON.stringify(found)
        : facts([
            ['event', id],
            ['kind', String(kind)],
            ['created', `${moment(createdAt)} UTC`],
            ['from', source],
            [
              'seen',
              seenAt === undefined
                ? 'not known, stored by an earlier version'
                : `${moment(seenAt / 1_000)} UTC (${distance(new Date(seenAt), surroundings.nowMs())})`,
            ],
          ]);
      await print(surroundings, text);
      end(EXIT.done);
    });
}
