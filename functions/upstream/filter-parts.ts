import type { Filter } from '../nostr/filter.ts';
import { KIND_MAX } from '../nostr/kinds.ts';

/**
 * Narrower filters that together match exactly what this one matches, one of its lists
 * halved; none where there is no list to halve.
 */
export function halvesOf(filter: Filter): Filter[] {
  for (const field of ['ids', 'kinds', 'authors'] as const) {
    const values: readonly (string | number)[] = filter[field] ?? [];
    if (values.length > 1) return halves(values).map((half) => ({ ...filter, [field]: half }));
  }
  for (const [letter, values] of filter.tags ?? []) {
    if (values.length < 2) continue;
    // An event with tags of both halves comes twice, which does no harm.
    return halves(values).map((half) => ({
      ...filter,
      tags: new Map(filter.tags).set(letter, half),
    }));
  }
  return [];
}

/** All kinds that are not among these. */
export const otherKinds = (seen: { has(kind: number): boolean }): number[] =>
  Array.from({ length: KIND_MAX + 1 }, (_, kind) => kind).filter((kind) => !seen.has(kind));

function halves<T>(values: readonly T[]): T[][] {
  const middle = Math.ceil(values.length / 2);
  return [values.slice(0, middle), values.slice(middle)];
}
