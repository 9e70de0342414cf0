import { getPow } from 'nostr-tools/nip13';
import type { NostrEvent } from '../nostr/event.ts';
import { accept, type Result, refuse } from '../nostr/result.ts';
import { isInRange, type KindRange, parseKindRanges } from './kind-lists.ts';
import { PASSED, type WritePolicy } from './write-policy.ts';

/** The most that an id of 256 bits can have. */
export const DIFFICULTY_MAX = 256;

/** Leading zero bits that ids of these kinds must have. */
export interface KindDifficulty {
  readonly kinds: KindRange;
  readonly bits: number;
}

/** Parses a list such as `1:20,30000-39999:16`; the empty text is the empty list. */
export function parseKindDifficulties(text: string): Result<readonly KindDifficulty[]> {
  const difficulties: KindDifficulty[] = [];
  for (const part of text.split(',').map((piece) => piece.trim())) {
    if (part === '') continue;
    const [, kinds, digits] = /^([^:]+):\s*([0-9]{1,3})$/.exec(part) ?? [];
    const bits = Number(digits);
    const ranges = kinds === undefined ? undefined : parseKindRanges(kinds);
    if (ranges?.ok !== true || ranges.value.length === 0 || bits > DIFFICULTY_MAX) {
      const given = JSON.stringify(part.slice(0, 40));
      return refuse(`${given} is not kinds and 0 to ${DIFFICULTY_MAX} bits, such as 1:20`);
    }
    for (const range of ranges.value) difficulties.push({ kinds: range, bits });
  }
  return accept(difficulties);
}

/**
 * Refuses events with too little proof of work (NIP-13), and those that committed to less than is
 * asked and were lucky.
 * @param bits for all kinds that `byKind` does not name; of several entries the first one counts.
 */
export function proofOfWorkPolicy(bits: number, byKind: readonly KindDifficulty[]): WritePolicy {
  if (bits === 0 && byKind.length === 0) return () => PASSED;
  return (event) => {
    const wanted = byKind.find(({ kinds }) => isInRange(event.kind, kinds))?.bits ?? bits;
    if (wanted === 0) return PASSED;
    const done = getPow(event.id);
    if (done < wanted) {
      return refuse(`pow: the id has ${done} leading zero bits, ${wanted} are needed (NIP-13)`);
    }
    const target = committedTarget(event);
    if (target !== undefined && target < wanted) {
      return refuse(`pow: the nonce tag commits to ${target} bits, ${wanted} are needed (NIP-13)`);
    }
    return PASSED;
  };
}

/** "The third entry to the nonce tag SHOULD contain the target difficulty". */
function committedTarget({ tags }: NostrEvent): number | undefined {
  const target = tags.find(([name]) => name === 'nonce')?.[2];
  return target !== undefined && /^[0-9]{1,3}$/.test(target) ? Number(target) : undefined;
}
