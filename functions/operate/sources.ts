import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Postgres } from '../cloud/postgres.ts';
import { readBudgetSteps } from '../database/budget.ts';
import { readCoverage } from '../database/coverage.ts';
import { recordProbe } from '../database/probes.ts';
import {
  addSource,
  askForCoverage,
  listSources,
  pauseSource,
  removeSource,
  resumeSource,
  type Source,
  type SourceDirection,
  sourceById,
  sourceByUrl,
} from '../database/sources.ts';
import { parseRelayAddress } from '../upstream/address.ts';
import { type ProbeReport, probe } from '../upstream/probe.ts';
import {
  addDatabaseOptions,
  DATABASE_HELP,
  type DatabaseOptions,
  withDatabase,
} from './database.ts';
import { CommandFailure, EXIT, EXIT_HELP, usageFailure } from './exit.ts';
import { readSourceFilters } from './source-filters.ts';
import { addLimitOptions, type LimitOptions, sourceLimitsOf } from './source-limit-options.ts';
import {
  coverageJson,
  coverageTable,
  probeFacts,
  sourceJson,
  sourcesTable,
} from './source-views.ts';
import { type EndWith, print, type Surroundings } from './surroundings.ts';

const HELP = `
Examples:
  distrise sources add wss://relay.example --filter '{"kinds":[0,1,3]}'
  distrise sources add wss://relay.example --authors-file friends.txt --direction both
  distrise sources add wss://relay.example --visit-events 5000 --visit-seconds 20
  distrise sources list
  distrise sources pause wss://relay.example --reason "moves house"
  distrise sources coverage wss://relay.example --json | jq '.[0].held'
  distrise sources probe wss://relay.example --save
${DATABASE_HELP}
${EXIT_HELP}`;

interface Shown extends DatabaseOptions {
  readonly json?: boolean;
}

/** `sources`: the relays that events are fetched from or sent to. */
export function addSources(program: Command, surroundings: Surroundings, end: EndWith): void {
  const sources = program
    .command('sources')
    .description('relays that events are fetched from or sent to')
    .addHelpText('after', HELP);
  addList(sources, surroundings, end);
  addAdd(sources, surroundings, end);
  addChanges(sources, surroundings, end);
  addProbe(sources, surroundings, end);
  addCoverage(sources, surroundings, end);
}

function addList(sources: Command, surroundings: Surroundings, end: EndWith): void {
  addDatabaseOptions(sources.command('list').description('every source, and how it does'))
    .option('--json', 'print JSON')
    .action(async (options: Shown) => {
      const [all, steps] = await withDatabase(options, surroundings, async (pool) => [
        await listSources(pool),
        await readBudgetSteps(pool),
      ]);
      const text = options.json
        ? JSON.stringify(all.map(sourceJson))
        : sourcesTable(all, surroundings.nowMs(), steps.includes('fetch'));
      await print(surroundings, text);
      end(EXIT.done);
    });
}

interface AddOptions extends Shown, LimitOptions {
  readonly filter?: readonly string[];
  readonly direction: SourceDirection;
  readonly authorsFile?: string;
  readonly auth?: boolean;
}

function addAdd(sources: Command, surroundings: Surroundings, end: EndWith): void {
  const command = sources
    .command('add <url>')
    .description('add a source, or give one new settings, in place of all that it had');
  addLimitOptions(addDatabaseOptions(command))
    .option(
      '--filter <json>',
      'what is wanted of it, a NIP-01 filter without times and limit (repeatable; default all)',
      (text: string, previous: string[] = []) => [...previous, text],
    )
    .option('--authors-file <file>', 'public keys, hex or npub, one a line: only these authors')
    .addOption(
      new Option('--direction <way>', 'fetch events from there, send ours there, or both')
        .choices(['down', 'up', 'both'])
        .default('down'),
    )
    .option('--auth', 'log in where it asks (NIP-42)')
    .option('--json', 'print JSON')
    .action(async (text: string, options: AddOptions) => {
      const url = addressOf(text);
      const filters = readSourceFilters(options.filter ?? [], options.authorsFile);
      const { direction, auth = false } = options;
      const limits = sourceLimitsOf(options);
      const source = await withDatabase(options, surroundings, (pool) =>
        addSource(pool, { url, origin: 'configured', direction, filters, limits, auth }),
      );
      await report(source, options, surroundings);
      end(EXIT.done);
    });
}

/** What turns a source on and off. */
function addChanges(sources: Command, surroundings: Surroundings, end: EndWith): void {
  const changes = [
    {
      name: 'pause',
      about: 'visit it no more until it is resumed',
      impossible: 'is not active',
      change: pauseSource,
    },
    {
      name: 'resume',
      about: 'visit it again, at once; also after a quarantine',
      impossible: 'is active already',
      change: (pool: Postgres['pool'], id: number) => resumeSource(pool, id),
    },
    {
      name: 'remove',
      about: 'forget it and what was fetched of it; its events stay',
      impossible: 'is removed already',
      change: (pool: Postgres['pool'], id: number) => removeSource(pool, id),
    },
  ];
  for (const { name, about, impossible, change } of changes) {
    const command = addDatabaseOptions(
      sources.command(`${name} <source>`).description(about),
    ).option('--json', 'print JSON');
    if (name === 'pause') command.option('--reason <text>', 'shown in the list');
    command.action(async (given: string, options: Shown & { readonly reason?: string }) => {
      const changed = await withDatabase(options, surroundings, async (pool) => {
        const source = await findSource(pool, given);
        if (!(await change(pool, source.id, options.reason))) {
          throw new CommandFailure(EXIT.refused, `source ${source.url} ${impossible}`);
        }
        return (await sourceById(pool, source.id)) ?? source;
      });
      await report(changed, options, surroundings);
      end(EXIT.done);
    });
  }
}

interface ProbeCommand extends Shown {
  readonly events: number;
  readonly timeout: number;
  readonly save?: boolean;
}

function addProbe(sources: Command, surroundings: Surroundings, end: EndWith): void {
  const command = sources
    .command('probe <url>')
    .description('visit a relay once and show how it answers; needs no database without --save');
  addDatabaseOptions(command)
    .option('--events <count>', 'how many of its newest events to ask for', readCount, 10)
    .option('--timeout <seconds>', 'how long each step may take', readCount, 10)
    .option('--save', 'note what was found; a relay that is no source becomes a paused one')
    .option('--json', 'print JSON')
    .action(async (text: string, options: ProbeCommand) => {
      const found = await probe(new URL(addressOf(text)), {
        events: options.events,
        timeoutMs: options.timeout * 1_000,
        nowMs: surroundings.nowMs,
      });
      const saved = options.save
        ? await withDatabase(options, surroundings, (pool) => saveProbe(pool, found))
        : undefined;
      const source = saved && { id: saved.id, state: saved.state };
      const shown = options.json
        ? JSON.stringify({ ...found, ...(source && { source }) })
        : probeFacts(found, surroundings.nowMs(), source);
      await print(surroundings, shown);
      end(found.failure === undefined ? EXIT.done : EXIT.unreachable);
    });
}

/** Notes a probe with its source, which is a candidate for somebody to resume where it is new. */
async function saveProbe(pool: Postgres['pool'], found: ProbeReport): Promise<Source> {
  const paused = 'probed; resume to fetch';
  const source = await addSource(pool, { url: found.url, origin: 'probe', paused });
  await recordProbe(pool, source.id, found);
  return source;
}

interface CoverageOptions extends Shown {
  readonly limit: number;
  readonly measure?: boolean;
}

function addCoverage(sources: Command, surroundings: Surroundings, end: EndWith): void {
  addDatabaseOptions(
    sources
      .command('coverage <source>')
      .description('what share of its events we hold, as it was measured'),
  )
    .option('--limit <count>', 'newest measurements at most', readCount, 20)
    .option('--measure', 'have the next visit, due at once, measure what is fetched by then')
    .option('--json', 'print JSON')
    .action(async (given: string, options: CoverageOptions) => {
      const [source, series] = await withDatabase(options, surroundings, async (pool) => {
        const found = await findSource(pool, given);
        if (options.measure && !(await askForCoverage(pool, found.id))) {
          throw new CommandFailure(EXIT.refused, `source ${found.url} is not active`);
        }
        const series = await readCoverage(pool, found.id, { limit: options.limit });
        return [(await sourceById(pool, found.id)) ?? found, series] as const;
      });
      const text = options.json
        ? JSON.stringify(coverageJson(source, series))
        : coverageTable(source, series);
      await print(surroundings, text);
      end(EXIT.done);
    });
}

async function report(source: Source, { json }: Shown, surroundings: Surroundings): Promise<void> {
  const text = json
    ? JSON.stringify(sourceJson(source))
    : `source ${source.id} ${source.url} is ${source.state}`;
  await print(surroundings, text);
}

/** The source that a number or an address names. */
async function findSource(pool: Postgres['pool'], given: string): Promise<Source> {
  const source = /^\d{1,9}$/.test(given)
    ? await sourceById(pool, Number(given))
    : await sourceByUrl(pool, addressOf(given));
  if (source === undefined) throw new CommandFailure(EXIT.refused, `there is no source ${given}`);
  return source;
}

/** An address in the one form in which sources are kept. */
function addressOf(text: string): string {
  const address = parseRelayAddress(text);
  if (!address.ok) throw usageFailure(address.reason);
  return address.value.href;
}

function readCount(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) {
    throw new InvalidArgumentError('Wanted: a whole number from 1 to 9999.');
  }
  return Number(text);
}
