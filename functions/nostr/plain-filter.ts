import type { Filter } from './filter.ts';

/** A filter as NIP-01 writes it in JSON. */
export function plainFilter(filter: Filter): Record<string, unknown> {
  const { tags, ...rest } = filter;
  const plain: Record<string, unknown> = { ...rest };
  for (const [letter, values] of tags ?? []) plain[`#${letter}`] = values;
  return plain;
}
