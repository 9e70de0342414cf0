import { KIND_MAX } from '../nostr/kinds.ts';
import { accept, type Result, refuse } from '../nostr/result.ts';
import { PASSED, type WritePolicy } from './write-policy.ts';

/** Kinds `first` to `last`, both included. */
export interface KindRange {
  readonly first: number;
  readonly last: number;
}

/** Parses a list such as `0,1,30000-39999`; the empty text is the empty list. */
export function parseKindRanges(text: string): Result<readonly KindRange[]> {
  const ranges: KindRange[] = [];
  for (const part of text.split(',').map((piece) => piece.trim())) {
    if (part === '') continue;
    const found = /^([0-9]{1,5})(?:\s*-\s*([0-9]{1,5}))?$/.exec(part);
    const first = Number(found?.[1]);
    const last = Number(found?.[2] ?? found?.[1]);
    if (!(first <= last && last <= KIND_MAX)) {
      const given = JSON.stringify(part.slice(0, 40));
      return refuse(`${given} is neither a kind from 0 to ${KIND_MAX} nor a range such as 30-39`);
    }
    ranges.push({ first, last });
  }
  return accept(ranges);
}

/**
 * Refuses kinds that are denied, and where any are allowed by name, all others.
 * @param allowed empty means every kind.
 */
export function kindListsPolicy(
  allowed: readonly KindRange[],
  denied: readonly KindRange[],
): WritePolicy {
  return ({ kind }) => {
    if (denied.some((range) => isInRange(kind, range))) {
      return refuse(`blocked: kind ${kind} is not accepted here`);
    }
    if (allowed.length > 0 && !allowed.some((range) => isInRange(kind, range))) {
      const list = allowed.slice(0, KINDS_NAMED_MAX).map(rangeText).join(', ');
      const more = allowed.length > KINDS_NAMED_MAX ? ' and others' : '';
      return refuse(`blocked: kind ${kind} is not accepted here, only ${list}${more}`);
    }
    return PASSED;
  };
}

/** A refusal names at most this many ranges, so that it stays a line. */
const KINDS_NAMED_MAX = 10;

/** True for a kind of the range. */
export const isInRange = (kind: number, { first, last }: KindRange): boolean =>
  kind >= first && kind <= last;

const rangeText = ({ first, last }: KindRange): string =>
  first === last ? `${first}` : `${first}-${last}`;
