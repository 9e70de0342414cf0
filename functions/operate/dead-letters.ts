import { type Command, InvalidArgumentError } from 'commander';
import {
  countLetters,
  countReasons,
  discardLetters,
  type LetterFilter,
  listLetters,
  readLetters,
  replayLetters,
} from '../database/dead-letters.ts';
import {
  addDatabaseOptions,
  DATABASE_HELP,
  type DatabaseOptions,
  withDatabase,
} from './database.ts';
import { eventIdOf, readAuthor } from './event-id.ts';
import { CommandFailure, EXIT, EXIT_HELP, usageFailure } from './exit.ts';
import { letterFacts, letterJson, letterList } from './letter-views.ts';
import { openQueue, QUEUE_HELP } from './queue.ts';
import { type EndWith, operatorOf, print, type Surroundings, tell } from './surroundings.ts';
import { grouped } from './words.ts';

const HELP = `
Where dead letters are: what store cannot write goes to the topic incoming-dead with its reason;
upkeep, every minute, brings it from there into the database, which this command reads. What Pub/Sub
put into that topic itself, after 100 attempts during an outage, upkeep publishes anew without being
asked. A letter stays until somebody replays or discards it, and 30 days more.

Replayed letters go to incoming again and are marked when Pub/Sub has them; one that fails again
comes back as a new letter. Discarded ones lose what they held; who, when and why stays in the table
dead_letter_decisions. Who has no way to the database asks the function upkeep by POST:
  {"deadLetters": {"action": "replay", "sqlstate": "23514", "by": "…", "why": "…"}}
That also leaves a line in its log and counts in the metric dead_letters_total; this command does
neither, but writes the decision to its standard error.

Examples:
  distrise dead-letters list --since 24h
  distrise dead-letters show 8612447103
  distrise dead-letters replay --sqlstate 23514 --dry-run
  distrise dead-letters discard --author npub1… --why "spam" --yes
${DATABASE_HELP}
${QUEUE_HELP}
${EXIT_HELP}`;

interface Filters extends DatabaseOptions {
  readonly reason?: string;
  readonly sqlstate?: string;
  readonly since?: string;
  readonly kind?: number;
  readonly author?: string;
  readonly limit: number;
  readonly json?: boolean;
}

/** `dead-letters`: what could not be stored, and what becomes of it. */
export function addDeadLetters(program: Command, surroundings: Surroundings, end: EndWith): void {
  const letters = program
    .command('dead-letters')
    .description('what could not be stored: list, show, replay, discard')
    .addHelpText('after', HELP);
  addList(letters, surroundings, end);
  addShow(letters, surroundings, end);
  addReplay(letters, surroundings, end);
  addDiscard(letters, surroundings, end);
}

function addFilters(command: Command, limit: number): Command {
  return addDatabaseOptions(command)
    .option('--reason <text>', 'a part of the reason', readReason)
    .option('--sqlstate <code>', 'what PostgreSQL said, such as 23514')
    .option('--since <time>', 'buried since then: 90m, 24h, 7d, or a date')
    .option('--kind <number>', 'of this kind', readNumber(0, 65_535))
    .option('--author <key>', 'of this author, hex or npub')
    .option('--limit <count>', 'so many at most', readNumber(1, 1_000_000), limit)
    .option('--json', 'print JSON');
}

/** An empty part is in every reason: it would choose all of them. */
function readReason(text: string): string {
  if (text === '') throw new InvalidArgumentError('Wanted: at least one character.');
  return text;
}

function readNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d{1,7}$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`Wanted: a whole number from ${least} to ${most}.`);
    }
    return value;
  };
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** A time as Unix seconds: so long ago, or a date. */
function readTime(text: string, nowMs: number): number {
  const [, count, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count !== undefined) return nowMs / 1_000 - Number(count) * (UNIT_SECONDS[unit] ?? 0);
  const date = Date.parse(text);
  if (!Number.isNaN(date)) return date / 1_000;
  throw usageFailure(`no time: ${text.slice(0, 100)} (wanted: 90m, 24h, 7d, or a date)`);
}

function filterOf(options: Filters, id: string | undefined, nowMs: number): LetterFilter {
  const { reason, sqlstate, since, kind, author } = options;
  return {
    ...(id !== undefined && { id: letterIdOf(id) }),
    ...(reason !== undefined && { reason }),
    ...(sqlstate !== undefined && { sqlstate: sqlstate.toUpperCase() }),
    ...(since !== undefined && { since: readTime(since, nowMs) }),
    ...(kind !== undefined && { kind }),
    ...(author !== undefined && { author: readAuthor(author) }),
  };
}

/** The id of a letter's message, or of its event in any form. */
const letterIdOf = (text: string): string => eventIdOf(text) ?? text;

function addList(letters: Command, surroundings: Surroundings, end: EndWith): void {
  addFilters(letters.command('list').description('reasons by number, and the newest letters'), 20)
    .option('--decided', 'also those that were replayed or discarded')
    .action(async (options: Filters & { readonly decided?: boolean }) => {
      const now = surroundings.nowMs();
      const { decided = false, limit } = options;
      const filter = { ...filterOf(options, undefined, now), decided };
      const found = await withDatabase(options, surroundings, async (pool) => ({
        total: await countLetters(pool, filter),
        reasons: await countReasons(pool, filter),
        letters: await listLetters(pool, filter, limit),
      }));
      const queue = openQueue(options, surroundings);
      const waiting = await queue?.waiting().finally(() => queue.close());
      const text = options.json
        ? JSON.stringify({ ...found, waiting })
        : letterList(found, waiting, now);
      await print(surroundings, text);
      end(EXIT.done);
    });
}

function addShow(letters: Command, surroundings: Surroundings, end: EndWith): void {
  addDatabaseOptions(
    letters.command('show <id>').description('a letter (or those of an event), with what it holds'),
  )
    .option('--json', 'print JSON')
    .action(async (id: string, options: DatabaseOptions & { readonly json?: boolean }) => {
      const found = await withDatabase(options, surroundings, (pool) =>
        readLetters(pool, letterIdOf(id)),
      );
      if (found.length === 0)
        throw new CommandFailure(EXIT.refused, `there is no dead letter ${id}`);
      const text = options.json
        ? JSON.stringify(found.map(letterJson))
        : found.map(letterFacts).join('\n\n');
      await print(surroundings, text);
      end(EXIT.done);
    });
}

interface Decide extends Filters {
  readonly all?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly why?: string;
  readonly by?: string;
}

const DECIDED_AT_ONCE = 10_000;

function addDecision(command: Command): Command {
  return addFilters(command, DECIDED_AT_ONCE)
    .option('--all', 'every one that nobody has decided about')
    .option('--by <name>', 'who decides (default: DISTRISE_OPERATOR, else user and machine)')
    .option('--dry-run', 'only say what would be done')
    .option('--yes', 'do not ask, also where it is more than one');
}

function addReplay(letters: Command, surroundings: Surroundings, end: EndWith): void {
  addDecision(
    letters.command('replay [id]').description('have store try again: one, or all of a filter'),
  )
    .option('--why <text>', 'what has changed since', '')
    .action(async (id: string | undefined, options: Decide) => {
      const queue = openQueue(options, surroundings);
      if (queue === undefined) throw usageFailure('no Pub/Sub: set GOOGLE_CLOUD_PROJECT');
      try {
        await decide('replayed', id, options, surroundings, (pool, filter, who) =>
          replayLetters(pool, filter, options.limit, who, queue.publish),
        );
      } finally {
        await queue.close();
      }
      end(EXIT.done);
    });
}

function addDiscard(letters: Command, surroundings: Surroundings, end: EndWith): void {
  addDecision(
    letters.command('discard [id]').description('give up: one, or all of a filter; erases them'),
  )
    .requiredOption('--why <text>', 'kept with the decision')
    .action(async (id: string | undefined, options: Decide) => {
      await decide('discarded', id, options, surroundings, (pool, filter, who) =>
        discardLetters(pool, filter, options.limit, who),
      );
      end(EXIT.done);
    });
}

type Pool = Parameters<Parameters<typeof withDatabase>[2]>[0];

/** What is common to both decisions: how many it is about, whether that is meant, who says so. */
async function decide(
  action: 'replayed' | 'discarded',
  id: string | undefined,
  options: Decide,
  surroundings: Surroundings,
  work: (pool: Pool, filter: LetterFilter, who: { by: string; why: string }) => Promise<number>,
): Promise<void> {
  const filter = filterOf(options, id, surroundings.nowMs());
  if (Object.keys(filter).length === 0 && !options.all) {
    throw usageFailure('which ones? Give an id, a filter, or --all');
  }
  if (action === 'discarded' && (options.why ?? '').trim() === '') {
    throw usageFailure('why? Give --why with a few words, which are kept with the decision');
  }
  const by = options.by ?? operatorOf(surroundings.env);
  const why = options.why ?? '';
  const letters = await withDatabase(options, surroundings, async (pool) => {
    const meant = Math.min(options.limit, await countLetters(pool, filter));
    if (meant === 0) throw new CommandFailure(EXIT.refused, 'there is no such dead letter');
    if (options.dryRun) return meant;
    if (meant > 1 && !options.yes) await confirm(action, meant, surroundings);
    return work(pool, filter, { by, why });
  });
  const verb = options.dryRun ? `would be ${action}` : action;
  if (!options.dryRun) {
    // Whoever keeps a record of his session has the decision in it, as the database has.
    tell(surroundings, JSON.stringify({ deadLetters: action, letters, by, why, filter }));
  }
  const text = options.json
    ? JSON.stringify({ action, letters, dryRun: options.dryRun === true })
    : `${grouped(letters)} ${letters === 1 ? 'letter' : 'letters'} ${verb}`;
  await print(surroundings, text);
}

async function confirm(action: string, letters: number, surroundings: Surroundings): Promise<void> {
  if (surroundings.ask === undefined) {
    throw usageFailure(`${letters} letters would be ${action}: give --yes, or --dry-run to look`);
  }
  const answer = await surroundings.ask(`${letters} letters will be ${action}. Go on? [y/N] `);
  if (!/^y(es)?$/i.test(answer.trim())) {
    throw new CommandFailure(EXIT.refused, `nothing was ${action}`);
  }
}
