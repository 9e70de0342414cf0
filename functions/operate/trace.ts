import { join } from 'node:path';
import type { Command } from 'commander';
import { traceOfEvent } from '../cloud/trace.ts';
import { listLetters } from '../database/dead-letters.ts';
import { deletionRequests, readStoredJourney, searchTraces } from '../database/journey.ts';
import {
  addDatabaseOptions,
  DATABASE_HELP,
  type DatabaseOptions,
  localFolder,
  withDatabase,
} from './database.ts';
import { readEventId } from './event-id.ts';
import {
  decidingRequest,
  type JourneyStep,
  type Known,
  possibleCauses,
  type State,
  stateOf,
  stepsOf,
} from './event-journey.ts';
import { loggingCommand, readCloudLines, readLocalLines } from './event-lines.ts';
import { EXIT, EXIT_HELP } from './exit.ts';
import { type EndWith, print, type Surroundings } from './surroundings.ts';
import { facts, table } from './table.ts';
import { moment } from './words.ts';

const HELP = `
When an event was accepted (by the clock of the part that took it), from where, and when it was
stored (by the database's clock) stands in its row, for every event. The steps between are in the
logs: of a share of the events (LOG_TRACE_SAMPLE, a thousandth by default) each one, of the others
only what failed. On this machine the logs are read too; in the cloud this command prints the
gcloud command that finds them, and reads what that wrote with --logs.

Examples:
  distrise trace note1…
  distrise trace 5c83da77af1dec6d7289834998ad7aafbd9e2191396d75ec3cc27f5a77226f36 --json
  distrise trace nevent1… --logs lines.json
${DATABASE_HELP}
${EXIT_HELP}`;

interface TraceOptions extends DatabaseOptions {
  readonly json?: boolean;
  readonly logs?: string;
}

/** Where log lines were looked for. */
type Searched =
  | { readonly folder: string; readonly lines: number }
  | { readonly file: string; readonly lines: number }
  | { readonly command: string };

/** `trace`: the way of one event. */
export function addTrace(program: Command, surroundings: Surroundings, end: EndWith): void {
  addDatabaseOptions(
    program
      .command('trace <event>')
      .description('the way of one event: received, OK, stored, delivered, or why not'),
  )
    .option('--logs <file>', 'what gcloud logging read --format=json wrote')
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action(async (given: string, options: TraceOptions) => {
      const id = readEventId(given);
      const inDatabase = await withDatabase(options, surroundings, (pool) => askDatabase(pool, id));
      const { lines, searched } = await findLines(id, options, surroundings, inDatabase.stored);
      const known: Known = { ...inDatabase, lines };
      const state = stateOf(known);
      const steps = stepsOf(known);
      const text = options.json
        ? JSON.stringify(journeyJson(id, state, known, steps, searched))
        : journeyText(id, state, known, steps, searched);
      await print(surroundings, text);
      end(state === 'unknown' ? EXIT.refused : EXIT.done);
    });
}

type Pool = Parameters<Parameters<typeof withDatabase>[2]>[0];

async function askDatabase(pool: Pool, id: string): Promise<Omit<Known, 'lines'>> {
  const letters = await listLetters(pool, { id, decided: true }, 20);
  let stored = await readStoredJourney(pool, id);
  if (stored !== undefined) return { stored, letters, requests: [], traces: undefined };
  const traces = await searchTraces(pool, id);
  // It may have come while we searched.
  if (traces.changes.at(-1)?.what === 'added') stored = await readStoredJourney(pool, id);
  if (stored !== undefined) return { stored, letters, requests: [], traces: undefined };
  return { stored, letters, requests: await deletionRequests(pool, id), traces };
}

async function findLines(
  id: string,
  options: TraceOptions,
  { env }: Surroundings,
  stored: Known['stored'],
): Promise<{ readonly lines: Known['lines']; readonly searched: Searched }> {
  if (options.logs !== undefined) {
    const lines = readCloudLines(options.logs, id);
    return { lines, searched: { file: options.logs, lines: lines.length } };
  }
  const folder = localFolder(options, env);
  if (folder === undefined) {
    const project = env['GOOGLE_CLOUD_PROJECT'] || undefined;
    const command = loggingCommand(id, project, stored?.acceptedAt);
    return { lines: [], searched: { command } };
  }
  const logs = join(folder, 'log');
  const lines = await readLocalLines(logs, id);
  return { lines, searched: { folder: logs, lines: lines.length } };
}

const iso = (ms: number): string => new Date(ms).toISOString();

function journeyJson(
  id: string,
  state: State,
  known: Known,
  steps: readonly JourneyStep[],
  logs: Searched,
): object {
  const { stored, letters, requests, traces } = known;
  return {
    id,
    trace: traceOfEvent(id),
    state,
    ...stored,
    ...delayOf(known),
    ...(requests.length > 0 && { deletionRequests: requests }),
    ...(traces?.successor !== undefined && { supersededBy: traces.successor }),
    ...(state === 'deleted' && { deletedBy: decidingRequest(known)?.id }),
    ...(state === 'removed' && { possibleCauses: possibleCauses(known) }),
    ...(letters.length > 0 && { deadLetters: letters }),
    steps: steps.map(({ at, ...rest }) => ({ at: iso(at), ...rest })),
    logs,
  };
}

function delayOf({ stored }: Known): { readonly delayMs?: number } {
  const { acceptedAt, storedAt } = stored ?? {};
  return acceptedAt !== undefined && storedAt !== undefined
    ? { delayMs: storedAt - acceptedAt }
    : {};
}

function journeyText(
  id: string,
  state: State,
  known: Known,
  steps: readonly JourneyStep[],
  searched: Searched,
): string {
  const { stored } = known;
  const parts = [
    facts([
      ['event', id],
      ['state', stateWords(state, known, searched)],
      ...(stored === undefined
        ? []
        : ([
            ['kind', String(stored.kind)],
            ['author', stored.author],
            ['created', `${moment(stored.createdAt)} UTC`],
            ['from', stored.source],
          ] as const)),
      ['trace', traceOfEvent(id)],
    ]),
  ];
  if (steps.length > 0) parts.push(stepTable(steps));
  parts.push(searchedWords(searched));
  return parts.join('\n\n');
}

function stateWords(state: State, known: Known, searched: Searched): string {
  const { traces, letters } = known;
  const maybe = requestWords(known);
  const cut = traces?.whole === false ? ' (the database was not searched to the end)' : '';
  switch (state) {
    case 'stored': {
      const { delayMs } = delayOf(known);
      return delayMs === undefined ? 'stored' : `stored, ${delayMs} ms after it was accepted`;
    }
    case 'superseded':
      return traces?.successor === undefined
        ? 'superseded by a newer version'
        : `superseded by ${traces.successor}`;
    case 'deleted': {
      const request = decidingRequest(known);
      return `deleted by its author${request === undefined ? '' : `: request ${request.id}`}`;
    }
    case 'dead letter':
      return `not stored, a dead letter: ${letters[0]?.reason} (distrise dead-letters show ${openLetter(known)})`;
    case 'removed':
      return `it was stored and is gone: ${causeWords(known)}${cut}`;
    case 'refused':
      return 'refused, see below';
    case 'discarded':
      return 'not stored, and given up by an operator';
    case 'ephemeral':
      return 'ephemeral: handed on, never stored';
    case 'under way':
      return `not stored (yet), see below${maybe && `; ${maybe}`}${cut}`;
    case 'unknown':
      return (
        `nothing is known of this id: it is not stored, and no dead letter ${maybe ? `names it; ${maybe}` : 'and no deletion names it'}` +
        `${'command' in searched ? '; log lines were not read' : ', nor does a log line'}${cut}`
      );
  }
}

/** A request that nobody can say of whether it is the author's; empty where there is none. */
function requestWords({ requests: [request, ...others] }: Known): string {
  if (request === undefined) return '';
  const more = others.length > 0 ? ` (${others.length} more name it)` : '';
  return `deleted, if ${request.author} is its author: request ${request.id}${more}`;
}

function causeWords(known: Known): string {
  const causes = possibleCauses(known);
  return [
    causes.includes('superseded') ? 'superseded or deleted by address' : '',
    causes.includes('dropped by retention') ? 'dropped by retention' : '',
    requestWords(known),
  ]
    .filter((words) => words !== '')
    .join(', or ');
}

const openLetter = ({ letters }: Known): string =>
  letters.find(({ decision }) => decision === undefined)?.messageId ?? '';

function stepTable(steps: readonly JourneyStep[]): string {
  const first = steps[0]?.at ?? 0;
  return table(steps, [
    { title: 'TIME (UTC)', cell: ({ at }) => iso(at).replace('T', ' ').slice(0, -1) },
    { title: 'AFTER', cell: ({ at }) => span(at - first), align: 'right' },
    { title: 'STEP', cell: ({ step }) => step },
    { title: 'SAID BY', cell: ({ by }) => by },
    { title: 'DETAIL', cell: ({ detail }) => detailWords(detail) },
  ]);
}

function span(ms: number): string {
  if (ms < 10_000) return `${ms} ms`;
  return ms < 600_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}

const detailWords = (detail: JourneyStep['detail']): string =>
  Object.entries(detail)
    .filter(([, value]) => value !== undefined && value !== '' && value !== null)
    .map(([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : value}`)
    .join(' ');

function searchedWords(searched: Searched): string {
  if ('command' in searched) {
    return `Further steps may stand in Cloud Logging; this finds them:\n  ${searched.command} > lines.json\nand this puts them in between:\n  distrise trace … --logs lines.json`;
  }
  const [where, lines] =
    'folder' in searched ? [searched.folder, searched.lines] : [searched.file, searched.lines];
  return lines > 0
    ? `${lines} log lines in ${where}`
    : `No line in ${where} names it: of most events only failures are logged (LOG_TRACE_SAMPLE).`;
}
