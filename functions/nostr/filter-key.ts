import { hash } from 'node:crypto';
import type { Filter } from './filter.ts';
import { plainFilter } from './plain-filter.ts';

/**
 * Names a filter in the tables of ranges and coverage: SHA-256 of its canonical JSON, in hex. The
 * order of fields and of values makes no difference, nor do values that stand twice, nor since,
 * until and limit, which every request sets anew.
 */
export function filterKey(filter: Filter): string {
  const { since: _, until: __, limit: ___, ...conditions } = filter;
  const fields = Object.entries(plainFilter(conditions))
    .filter((entry): entry is [string, (string | number)[]] => Array.isArray(entry[1]))
    .map(([field, values]): [string, (string | number)[]] => [field, [...new Set(values)].sort(by)])
    .sort(([a], [b]) => by(a, b));
  return hash('sha256', JSON.stringify(Object.fromEntries(fields)), 'hex');
}

/** By value for numbers and by code unit for text, the same on every machine. */
const by = (a: string | number, b: string | number): number => (a < b ? -1 : a > b ? 1 : 0);
