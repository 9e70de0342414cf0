import { type Command, InvalidArgumentError } from 'commander';
import { decode } from 'nostr-tools/nip19';
import { isHex64 } from '../nostr/event.ts';
import { type Filter, type FilterLimits, parseFilter } from '../nostr/filter.ts';
import { usageFailure } from './exit.ts';
import { parseTime } from './time.ts';

/** What commander makes of the flags below. */
export interface FilterOptions {
  readonly id?: readonly string[];
  readonly author?: readonly string[];
  readonly kind?: readonly number[];
  readonly tag?: readonly (readonly string[])[];
  readonly since?: string;
  readonly until?: string;
  readonly limit?: number;
  readonly filter?: readonly string[];
}

/** How much a filter may hold is the relay's business; here only a slip of the hand is caught. */
const LIMITS: FilterLimits = {
  idsMax: 100_000,
  authorsMax: 100_000,
  kindsMax: 65_536,
  tagValuesMax: 100_000,
  tagFiltersMax: 52,
};

export const FILTER_HELP = `
TIME is Unix seconds, ISO 8601 (2024-05-01, 2024-05-01T12:00:00Z) or an age (90s, 15m, 2h, 3d, 1w).
Flags given together must all match; each --filter is a further filter of its own.`;

export function addFilterOptions(command: Command): Command {
  return command
    .option('--id <id>', 'event id: hex, note or nevent (repeatable)', gather(readId))
    .option('--author <key>', 'public key: hex, npub or nprofile (repeatable)', gather(readAuthor))
    .option('--kind <kinds>', 'kind, or several with commas (repeatable)', gatherKinds)
    .option('--tag <letter=value>', 'tag of one letter (repeatable)', gather(readTagCondition))
    .option('--since <time>', 'created at this time or later')
    .option('--until <time>', 'created at this time or earlier')
    .option('--limit <count>', 'newest stored events at most', readCount)
    .option(
      '--filter <json>',
      'a whole NIP-01 filter as JSON (repeatable)',
      gather((text) => text),
    );
}

/** For options that may come more than once. */
export function gather<T>(read: (text: string) => T): (text: string, previous?: T[]) => T[] {
  return (text, previous = []) => [...previous, read(text)];
}

/** A whole number, 0 or more. */
export function readCount(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('Wanted: a whole number.');
  return Number(text);
}

function readId(text: string): string {
  const id = decoded(text, { note: (data) => data, nevent: (data) => data.id });
  if (id === undefined)
    throw new InvalidArgumentError('Wanted: 64 hex characters, note1… or nevent1…');
  return id;
}

function readAuthor(text: string): string {
  const key = decoded(text, { npub: (data) => data, nprofile: (data) => data.pubkey });
  if (key === undefined)
    throw new InvalidArgumentError('Wanted: 64 hex characters, npub1… or nprofile1…');
  return key;
}

interface Decoders {
  readonly note?: (data: string) => string;
  readonly npub?: (data: string) => string;
  readonly nevent?: (data: { id: string }) => string;
  readonly nprofile?: (data: { pubkey: string }) => string;
}

/** Hex as it is (capitals made small), or what one of the decoders takes out of NIP-19 text. */
function decoded(text: string, decoders: Decoders): string | undefined {
  const hex = text.toLowerCase();
  if (isHex64(hex)) return hex;
  try {
    const { type, data } = decode(text);
    const take = decoders[type as keyof Decoders] as ((data: unknown) => string) | undefined;
    return take?.(data);
  } catch {
    return undefined;
  }
}

function gatherKinds(text: string, previous: number[] = []): number[] {
  return [...previous, ...text.split(',').map(readKind)];
}

export function readKind(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) {
    throw new InvalidArgumentError('Wanted: a kind from 0 to 65535.');
  }
  return Number(text);
}

function readTagCondition(text: string): readonly string[] {
  const [, letter, value] = /^#?([a-zA-Z])=(.*)$/s.exec(text) ?? [];
  if (letter === undefined || value === undefined) {
    throw new InvalidArgumentError('Wanted: one letter, = and a value, like t=nostr.');
  }
  if (letter !== 'e' && letter !== 'p') return [letter, value];
  return [letter, letter === 'e' ? readId(value) : readAuthor(value)];
}

/** The filters that the flags ask for: one of all the flags, and one of each --filter. */
export function readFilters(options: FilterOptions, nowSeconds: number): Filter[] {
  const plain: Record<string, unknown> = {};
  if (options.id) plain['ids'] = options.id;
  if (options.author) plain['authors'] = options.author;
  if (options.kind) plain['kinds'] = options.kind;
  if (options.since !== undefined) plain['since'] = readTime('--since', options.since, nowSeconds);
  if (options.until !== undefined) plain['until'] = readTime('--until', options.until, nowSeconds);
  if (options.limit !== undefined) plain['limit'] = options.limit;
  for (const [letter, value] of options.tag ?? []) {
    plain[`#${letter}`] = [...((plain[`#${letter}`] as string[] | undefined) ?? []), value];
  }
  const given = (options.filter ?? []).map(parseJsonFilter);
  // Without any flag the filter of the flags would be "everything", which --filter narrows.
  if (given.length === 0 || Object.keys(plain).length > 0) given.unshift(checked(plain));
  return given;
}

export function readTime(flag: string, text: string, nowSeconds: number): number {
  const time = parseTime(text, nowSeconds);
  if (time === undefined) {
    throw usageFailure(
      `${flag}: given ${JSON.stringify(text)}, wanted Unix seconds, ISO 8601 or an age like 2h`,
    );
  }
  return time;
}

function parseJsonFilter(text: string): Filter {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw usageFailure(`--filter: not JSON: ${text.slice(0, 100)}`);
  }
  return checked(value);
}

function checked(value: unknown): Filter {
  const filter = parseFilter(value, LIMITS);
  if (!filter.ok) throw usageFailure(`filter: ${filter.reason}`);
  return filter.value;
}
