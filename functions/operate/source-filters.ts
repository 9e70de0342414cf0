import { readFileSync } from 'node:fs';
import { decode } from 'nostr-tools/nip19';
import { isHex64 } from '../nostr/event.ts';
import { type Filter, type FilterLimits, matchesNothing, parseFilter } from '../nostr/filter.ts';
import { CommandFailure, EXIT, usageFailure } from './exit.ts';

/** What a source may be asked for; a filter's authors are handed out in parts that relays take. */
const LIMITS: FilterLimits = {
  idsMax: 10_000,
  authorsMax: 100_000,
  kindsMax: 1_000,
  tagValuesMax: 10_000,
  tagFiltersMax: 52,
};

/**
 * The filters of `--filter` and `--authors-file`: the authors of the file narrow each filter that
 * names none. One that matches everything where nothing is given.
 */
export function readSourceFilters(
  texts: readonly string[],
  authorsFile: string | undefined,
): Filter[] {
  const filters = texts.length === 0 ? [{}] : texts.map(parseSourceFilter);
  if (authorsFile === undefined) return filters;
  const authors = readAuthors(authorsFile);
  return filters.map((filter) => (filter.authors === undefined ? { ...filter, authors } : filter));
}

function parseSourceFilter(text: string): Filter {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw usageFailure(`--filter: not JSON: ${text.slice(0, 100)}`);
  }
  const filter = parseFilter(value, LIMITS);
  if (!filter.ok) throw usageFailure(`--filter: ${filter.reason}`);
  for (const field of ['since', 'until', 'limit'] as const) {
    if (filter.value[field] !== undefined) {
      throw usageFailure(`--filter: ${field} is not for sources: all of the past is fetched`);
    }
  }
  if (matchesNothing(filter.value)) throw usageFailure(`--filter: matches nothing: ${text}`);
  return filter.value;
}

/** Public keys, one a line, hex or npub; what follows a # or a space is a remark. */
function readAuthors(file: string): string[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandFailure(EXIT.file, `cannot read ${file}: ${(error as Error).message}`, error);
  }
  const authors = new Set<string>();
  text.split('\n').forEach((line, at) => {
    const word = line.replace(/#.*$/s, '').trim().split(/\s/, 1)[0] ?? '';
    if (word === '') return;
    const author = readPublicKey(word);
    if (author === undefined) {
      throw usageFailure(`${file}, line ${at + 1}: no public key: ${word.slice(0, 100)}`);
    }
    authors.add(author);
  });
  if (authors.size === 0) throw usageFailure(`${file} names no author`);
  if (authors.size > LIMITS.authorsMax) {
    throw usageFailure(`${file} names ${authors.size} authors, ${LIMITS.authorsMax} are allowed`);
  }
  return [...authors];
}

function readPublicKey(word: string): string | undefined {
  if (isHex64(word.toLowerCase())) return word.toLowerCase();
  try {
    const { type, data } = decode(word);
    return type === 'npub' ? data : undefined;
  } catch {
    return undefined;
  }
}
