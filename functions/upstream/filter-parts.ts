import type { Filter } from '../nostr/filter.ts';
import { KIND_MAX } from '../nostr/kinds.ts';

/** Relays differ in how many kinds they take in one filter; most take a hundred. */
const KINDS_A_FILTER = 100;

/**
 * Narrower filters that together match exactly what this one matches; none where it cannot be
 * narrowed. Lists are halved. A filter without kinds becomes, when nothing else is left, one for
 * each kind that is known to occur and some for all the others.
 */
export function partsOf(filter: Filter, kindsSeen: ReadonlySet<number>): Filter[] {
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
  return filter.kinds === undefined ? partsByKind(filter, kindsSeen) : [];
}

function partsByKind(filter: Filter, kindsSeen: ReadonlySet<number>): Filter[] {
  const parts: Filter[] = [...kindsSeen].map((kind) => ({ ...filter, kinds: [kind] }));
  const others = Array.from({ length: KIND_MAX + 1 }, (_, kind) => kind).filter(
    (kind) => !kindsSeen.has(kind),
  );
  for (let at = 0; at < others.length; at += KINDS_A_FILTER) {
    parts.push({ ...filter, kinds: others.slice(at, at + KINDS_A_FILTER) });
  }
  return parts;
}

function halves<T>(values: readonly T[]): T[][] {
  const middle = Math.ceil(values.length / 2);
  return [values.slice(0, middle), values.slice(middle)];
}
