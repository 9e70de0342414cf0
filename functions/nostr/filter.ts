import { isHex64, type NostrEvent } from './event.ts';
import { KIND_MAX } from './kinds.ts';
import { accept, type Result, refuse } from './result.ts';

/**
 * A parsed NIP-01 filter. A missing field sets no condition; an empty list matches nothing.
 * List values are unique.
 */
export interface Filter {
  readonly ids?: readonly string[];
  readonly authors?: readonly string[];
  readonly kinds?: readonly number[];
  /** Tag letter (a-z, A-Z) to wanted values. */
  readonly tags?: ReadonlyMap<string, readonly string[]>;
  /** Unix seconds, inclusive. */
  readonly since?: number;
  /** Unix seconds, inclusive. */
  readonly until?: number;
  /** How many stored events are wanted at most; live delivery ignores it. */
  readonly limit?: number;
}

/** How many values a filter may hold; more is refused with a reason that names the field. */
export interface FilterLimits {
  readonly idsMax: number;
  readonly authorsMax: number;
  readonly kindsMax: number;
  readonly tagValuesMax: number;
  readonly tagFiltersMax: number;
}

/** Tag values that must be exact 64-character lowercase hex (NIP-01). */
const HEX_TAGS = new Set(['e', 'p']);

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Parses one filter of a REQ (NIP-01). Fields that NIP-01 does not know are refused by name with
 * the prefix `unsupported:`, since ignoring a condition would answer a question nobody asked.
 * Reasons carry their machine-readable prefix.
 */
export function parseFilter(value: unknown, limits: FilterLimits): Result<Filter> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuse('invalid: filter must be a JSON object');
  }
  const filter: Mutable<Filter> = {};
  const tags = new Map<string, readonly string[]>();
  for (const [field, given] of Object.entries(value)) {
    const parsed = parseField(field, given, limits, filter, tags);
    if (!parsed.ok) return parsed;
  }
  if (tags.size > limits.tagFiltersMax) {
    return refuse(
      `invalid: filter has ${tags.size} tag conditions, ${limits.tagFiltersMax} are allowed`,
    );
  }
  if (tags.size > 0) filter.tags = tags;
  return accept(filter);
}

function parseField(
  field: string,
  given: unknown,
  limits: FilterLimits,
  filter: Mutable<Filter>,
  tags: Map<string, readonly string[]>,
): Result<void> {
  switch (field) {
    case 'ids':
    case 'authors': {
      const max = field === 'ids' ? limits.idsMax : limits.authorsMax;
      const list = parseList(field, given, max, isHex64, '64 lowercase hex characters each');
      if (!list.ok) return list;
      filter[field] = list.value;
      return accept(undefined);
    }
    case 'kinds': {
      const list = parseList(
        field,
        given,
        limits.kindsMax,
        isKind,
        `integers from 0 to ${KIND_MAX}`,
      );
      if (!list.ok) return list;
      filter.kinds = list.value;
      return accept(undefined);
    }
    case 'since':
    case 'until':
    case 'limit':
      if (!Number.isSafeInteger(given) || (given as number) < 0) {
        return refuse(`invalid: ${field} must be a whole number, 0 or more`);
      }
      // JSON's -0 becomes 0.
      filter[field] = (given as number) + 0;
      return accept(undefined);
    default: {
      const letter = /^#([a-zA-Z])$/.exec(field)?.[1];
      if (letter === undefined) {
        return refuse(
          `unsupported: filter field ${JSON.stringify(field.slice(0, 40))} is not known here`,
        );
      }
      const list = HEX_TAGS.has(letter)
        ? parseList(field, given, limits.tagValuesMax, isHex64, '64 lowercase hex characters each')
        : parseList(field, given, limits.tagValuesMax, isText, 'well-formed strings');
      if (!list.ok) return list;
      tags.set(letter, list.value);
      return accept(undefined);
    }
  }
}

const isKind = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= KIND_MAX;
/** Lone surrogates have no UTF-8 form: in a database they would turn into another character. */
const isText = (value: unknown): value is string =>
  typeof value === 'string' && value.isWellFormed();

function parseList<T>(
  field: string,
  given: unknown,
  max: number,
  isValue: (value: unknown) => value is T,
  wanted: string,
): Result<readonly T[]> {
  if (!Array.isArray(given)) return refuse(`invalid: ${field} must be an array`);
  if (given.length > max) {
    return refuse(`invalid: ${field} has ${given.length} values, ${max} are allowed`);
  }
  for (const value of given) {
    if (!isValue(value)) return refuse(`invalid: ${field} must hold ${wanted}`);
  }
  return accept([...new Set(given as T[])]);
}

/** True where no event can match: an empty list, or `since` after `until`. */
export function matchesNothing(filter: Filter): boolean {
  if (filter.ids?.length === 0 || filter.authors?.length === 0 || filter.kinds?.length === 0) {
    return true;
  }
  for (const values of filter.tags?.values() ?? []) if (values.length === 0) return true;
  return filter.since !== undefined && filter.until !== undefined && filter.since > filter.until;
}

/** True when the event meets every condition of the filter (NIP-01); `limit` is no condition. */
export function matchesFilter(filter: Filter, event: NostrEvent): boolean {
  if (filter.since !== undefined && event.created_at < filter.since) return false;
  if (filter.until !== undefined && event.created_at > filter.until) return false;
  if (filter.kinds !== undefined && !filter.kinds.includes(event.kind)) return false;
  if (filter.authors !== undefined && !filter.authors.includes(event.pubkey)) return false;
  if (filter.ids !== undefined && !filter.ids.includes(event.id)) return false;
  if (filter.tags === undefined) return true;
  for (const [letter, values] of filter.tags) {
    if (!event.tags.some((tag) => tag[0] === letter && hasValue(tag, values))) return false;
  }
  return true;
}

/** A tag of one element has no value, so it matches no wanted value, not even the empty one. */
function hasValue(tag: readonly string[], wanted: readonly string[]): boolean {
  return tag[1] !== undefined && wanted.includes(tag[1]);
}
