import { hash } from 'node:crypto';
import type { Filter } from '../nostr/filter.ts';
import { filterKey } from '../nostr/filter-key.ts';
import { plainFilter } from '../nostr/plain-filter.ts';
import { UpstreamFailure } from '../upstream/failure.ts';
import type { RelayInformation } from '../upstream/information.ts';
import { DEFAULT_LIMITS } from '../upstream/limits.ts';
import {
  FOLLOWED_FILTERS,
  FOLLOWED_REQ_BYTES_MAX,
  FOLLOWED_SUBSCRIPTIONS,
  PART_BYTES_MAX,
  PART_BYTES_MIN,
  PART_MESSAGE_SHARE,
  PART_TAG_VALUES_MAX,
  PART_VALUES_MAX,
  PARTS_MAX,
} from './limits.ts';

/** One part of a source's filters, and what it is called where ranges are noted. */
export interface FilterPart {
  readonly filter: Filter;
  /** The key of a filter that needs no cutting is its own. */
  readonly key: string;
}

/** How many bytes of filter a source's messages have room for, by its NIP-11 document. */
function partBytesMaxOf({ messageBytesMax }: RelayInformation = {}): number {
  if (messageBytesMax === undefined) return PART_BYTES_MAX;
  const bytes = Math.floor(PART_MESSAGE_SHARE * messageBytesMax);
  return Math.min(PART_BYTES_MAX, Math.max(PART_BYTES_MIN, bytes));
}

/**
 * A source's filters in parts that its messages have room for; each part once. Where that would be
 * too many, they are as much longer as it takes, and the source has to say what it thinks of that.
 * @throws UpstreamFailure where even the longest ones would be too many.
 */
export function partsOf(filters: readonly Filter[], information?: RelayInformation): FilterPart[] {
  const parts = new Map<string, FilterPart>();
  for (const filter of cutAll(filters, partBytesMaxOf(information)).flatMap(multiplied)) {
    const key = filterKey(filter);
    parts.set(key, { filter, key });
  }
  return [...parts.values()];
}

function cutAll(filters: readonly Filter[], bytesMax: number): readonly Cut[] {
  const cuts = filters.map((filter) => lotsOfFilter(filter, bytesMax));
  const count = cuts.reduce((sum, cut) => sum + countOf(cut), 0);
  if (count <= PARTS_MAX) return cuts;
  if (bytesMax < PART_BYTES_MAX) return cutAll(filters, Math.min(PART_BYTES_MAX, 2 * bytesMax));
  const reason = `the filters are too wide: ${count} parts, ${PARTS_MAX} at most`;
  throw new UpstreamFailure('refused', reason);
}

/**
 * Narrower filters that together match what this one matches, each list within what relays take
 * and all lists together within so many bytes. Which values stand together is told by the values
 * alone: one more or less changes one part and leaves all others as they are. (Where a part grows
 * too large it becomes two, and two that have become small become one.)
 */
export const cutFilter = (filter: Filter, bytesMax: number): Filter[] =>
  multiplied(lotsOfFilter(filter, bytesMax));

/** A filter and the lots that its lists are cut into: each lot of one stands with each of another. */
interface Cut {
  readonly filter: Filter;
  readonly lists: readonly {
    readonly lots: readonly unknown[];
    /** The same filter with the n-th lot in the place of the list. */
    readonly narrowed: (filter: Filter, n: number) => Filter;
  }[];
}

function lotsOfFilter(filter: Filter, bytesMax: number): Cut {
  const { tags, ...rest } = filter;
  const names = (['ids', 'authors', 'kinds'] as const).filter((name) => rest[name] !== undefined);
  const letters = [...(tags?.keys() ?? [])].sort();
  // Each list has the same share, so that what is in one makes no difference to another.
  const share = Math.floor(bytesMax / Math.max(1, names.length + letters.length));
  const ofNames = names.map((name) => {
    const lots = lotsOf<string | number>(rest[name] ?? [], PART_VALUES_MAX, share);
    return { lots, narrowed: (part: Filter, n: number) => ({ ...part, [name]: lots[n] }) };
  });
  const ofTags = letters.map((letter) => {
    const lots = lotsOf(tags?.get(letter) ?? [], PART_TAG_VALUES_MAX, share);
    const narrowed = (part: Filter, n: number): Filter => ({
      ...part,
      tags: new Map(part.tags).set(letter, lots[n] ?? []),
    });
    return { lots, narrowed };
  });
  return { filter, lists: [...ofNames, ...ofTags] };
}

const countOf = ({ lists }: Cut): number =>
  lists.reduce((product, { lots }) => product * lots.length, 1);

const multiplied = ({ filter, lists }: Cut): Filter[] =>
  lists.reduce<Filter[]>(
    (parts, { lots, narrowed }) => parts.flatMap((part) => lots.map((_, n) => narrowed(part, n))),
    [filter],
  );

/** About what a filter takes in a message. */
export const filterBytes = (filter: Filter): number =>
  Buffer.byteLength(JSON.stringify(plainFilter(filter)));

/** REQs for live following, and how many parts there was no room for. */
export interface LiveRequests {
  readonly requests: readonly (readonly Filter[])[];
  readonly left: number;
}

/** A source's parts as REQs of several filters, as many as it takes at a time. */
export function liveRequests(
  filters: readonly Filter[],
  information: RelayInformation = {},
): LiveRequests {
  const { subscriptionsMax = FOLLOWED_SUBSCRIPTIONS, filtersMax = FOLLOWED_FILTERS } = information;
  const bytesMax = Math.min(partBytesMaxOf(information), FOLLOWED_REQ_BYTES_MAX);
  const parts = partsOf(filters, information);
  const requests: Filter[][] = [];
  let bytes = 0;
  for (const [taken, { filter }] of parts.entries()) {
    const size = filterBytes(filter);
    const last = requests.at(-1);
    bytes += size;
    if (last !== undefined && last.length < filtersMax && bytes <= bytesMax) {
      last.push(filter);
      continue;
    }
    if (requests.length >= Math.min(subscriptionsMax, DEFAULT_LIMITS.subscriptionsMax)) {
      return { requests, left: parts.length - taken };
    }
    requests.push([filter]);
    bytes = size;
  }
  return { requests, left: 0 };
}

interface Placed<T> {
  readonly value: T;
  /** What decides its place: evenly spread, whoever chose the value. */
  readonly place: Buffer;
  readonly bytes: number;
}

/**
 * Cuts a list as a tree by the bits of each value's hash: a branch that is small enough is one lot.
 * An empty list is one lot, since it is a condition, too.
 */
function lotsOf<T extends string | number>(
  values: readonly T[],
  valuesMax: number,
  bytesMax: number,
): (readonly T[])[] {
  const small = ({ length }: readonly unknown[], bytes: number): boolean =>
    length <= 1 || (length <= valuesMax && bytes <= bytesMax);
  const bytesOf = (value: T): number => Buffer.byteLength(JSON.stringify(value)) + 1;
  const sum = (some: readonly { readonly bytes: number }[]): number =>
    some.reduce((total, { bytes }) => total + bytes, 0);
  if (small(values, sum(values.map((value) => ({ bytes: bytesOf(value) }))))) return [values];
  const unique = [...new Set(values)].map(
    (value): Placed<T> => ({
      value,
      place: hash('sha256', String(value), 'buffer'),
      bytes: bytesOf(value),
    }),
  );
  const lots: (readonly T[])[] = [];
  const branch = (some: readonly Placed<T>[], bit: number): void => {
    if (some.length === 0) return;
    if (small(some, sum(some))) {
      lots.push(some.map(({ value }) => value));
      return;
    }
    const isSet = ({ place }: Placed<T>): boolean =>
      ((place[bit >>> 3] ?? 0) & (0x80 >>> (bit & 7))) !== 0;
    branch(
      some.filter((each) => !isSet(each)),
      bit + 1,
    );
    branch(some.filter(isSet), bit + 1);
  };
  branch(unique, 0);
  return lots;
}
