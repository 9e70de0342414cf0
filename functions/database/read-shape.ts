import type { Filter } from '../nostr/filter.ts';
import { kindClass } from '../nostr/kinds.ts';
import { addressTagKey, authorKey, isKeptKind, type Key, tagKey } from './keys.ts';

/** Which of the two tables can hold what is asked for. */
export type Tables = readonly ('events' | 'kept')[];

/** The values whose index entries are walked, newest first; one walk each. */
export type Driver =
  | { readonly by: 'time' }
  | { readonly by: 'kind'; readonly kinds: readonly number[] }
  | { readonly by: 'author'; readonly authors: readonly Key[] }
  | {
      readonly by: 'author-kind';
      readonly authors: readonly Key[];
      readonly kinds: readonly number[];
    }
  | { readonly by: 'tag'; readonly tags: readonly Key[] };

/** How a filter without ids is answered: what is walked, and what is checked on the way. */
export interface Shape {
  readonly tables: Tables;
  readonly driver: Driver;
  /** Conditions that the driver does not see to. Each of `tags` wants one of its values. */
  readonly kinds?: readonly number[];
  readonly authors?: readonly Key[];
  readonly tags: readonly (readonly Key[])[];
}

/** Above this many pairs of author and kind, kinds are checked while authors are walked. */
const PAIRS_MAX = 2_000;
/** Up to this many walks of authors are preferred to the walk of a tag that may be a hot one. */
const PAIRS_BEFORE_HOT_TAG = 64;
/** Up to this many addresses are looked up one by one. */
const ADDRESSES_MAX = 1_000;

/**
 * Letters in the order in which they are walked: first those whose values few events share.
 * What is in no list comes last: labels, languages, topics, people.
 */
const SELECTIVE_LETTERS = 'eEaAqidxIr';
const LETTERS = `${SELECTIVE_LETTERS}pPuUkKtglLmD`;

const rank = (letter: string): number => {
  const place = LETTERS.indexOf(letter);
  return place < 0 ? LETTERS.length : place;
};

/** Chooses tables and driver. Undefined where no stored event can match. */
export function shapeOf(filter: Filter): Shape | undefined {
  const kinds = filter.kinds?.filter((kind) => kindClass(kind) !== 'ephemeral');
  if (kinds?.length === 0) return undefined;
  const tables = tablesFor(kinds);
  const authors = filter.authors?.map(authorKey);
  const named = [...(filter.tags ?? [])].sort(([a], [b]) => rank(a) - rank(b));
  const tags = named.map(([letter, values]) => values.map((value) => tagKey(letter, value)));
  const address = addressShape(kinds, authors, filter);
  if (address !== undefined) return address;
  const [first, ...others] = tags;
  const letter = named[0]?.[0];
  const pairs = (authors?.length ?? 0) * (kinds?.length ?? 1);
  const hot = letter !== undefined && !SELECTIVE_LETTERS.includes(letter);
  const byAuthor = authors !== undefined && (!first || (hot && pairs <= PAIRS_BEFORE_HOT_TAG));
  if (byAuthor) {
    if (kinds === undefined) return { tables, driver: { by: 'author', authors }, tags };
    if (pairs > PAIRS_MAX) return { tables, driver: { by: 'author', authors }, kinds, tags };
    return { tables, driver: { by: 'author-kind', authors, kinds }, tags };
  }
  if (first !== undefined) {
    return {
      tables,
      driver: { by: 'tag', tags: first },
      ...(kinds && { kinds }),
      ...(authors && { authors }),
      tags: others,
    };
  }
  if (kinds !== undefined) return { tables, driver: { by: 'kind', kinds }, tags: [] };
  return { tables, driver: { by: 'time' }, tags: [] };
}

function tablesFor(kinds: readonly number[] | undefined): Tables {
  if (kinds === undefined || (kinds.some(isKeptKind) && !kinds.every(isKeptKind))) {
    return ['events', 'kept'];
  }
  return kinds.every(isKeptKind) ? ['kept'] : ['events'];
}

/** Addressable kinds, authors and d values together: kept events are indexed by all three. */
function addressShape(
  kinds: readonly number[] | undefined,
  authors: readonly Key[] | undefined,
  filter: Filter,
): Shape | undefined {
  const values = filter.tags?.get('d');
  if (!kinds?.every(isKeptKind) || authors === undefined || values === undefined) return undefined;
  if (kinds.length * authors.length * values.length > ADDRESSES_MAX) return undefined;
  const addresses = kinds.flatMap((kind) =>
    authors.flatMap((author) => values.map((value) => addressTagKey(kind, author, value))),
  );
  const others = [...(filter.tags ?? [])].filter(([letter]) => letter !== 'd');
  return {
    tables: ['kept'],
    driver: { by: 'tag', tags: addresses },
    tags: others.map(([letter, wanted]) => wanted.map((value) => tagKey(letter, value))),
  };
}

/** How many index walks the driver begins in each table. */
export function probesOf(driver: Driver): number {
  switch (driver.by) {
    case 'time':
      return 1;
    case 'kind':
      return driver.kinds.length;
    case 'author':
      return driver.authors.length;
    case 'author-kind':
      return driver.authors.length * driver.kinds.length;
    case 'tag':
      return driver.tags.length;
  }
}
