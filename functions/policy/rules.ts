import { authenticationKindPolicy } from './authentication-kind.ts';
import { eventAgePolicy } from './event-age.ts';
import { eventSizePolicy } from './event-size.ts';
import { keyListsPolicy } from './key-lists.ts';
import { type KindRange, kindListsPolicy } from './kind-lists.ts';
import type { WriteLimits } from './limits.ts';
import { type KindDifficulty, proofOfWorkPolicy } from './proof-of-work.ts';
import { protectedPolicy } from './protected.ts';
import { allOf, type WritePolicy } from './write-policy.ts';

/** What an operator rules on writing. Empty lists of what is allowed allow everything. */
export interface WriteRules {
  readonly limits: WriteLimits;
  readonly kindsAllowed: readonly KindRange[];
  readonly kindsDenied: readonly KindRange[];
  readonly keysAllowed: ReadonlySet<string>;
  readonly keysDenied: ReadonlySet<string>;
  /** Leading zero bits of the id (NIP-13), for all kinds and for some; 0 asks for none. */
  readonly difficulty: number;
  readonly difficultyByKind: readonly KindDifficulty[];
}

/**
 * The policy that enforces the rules. Who writes is asked first: a banned key learns of no limit
 * that it might work around.
 */
export function policyOf(rules: WriteRules): WritePolicy {
  return allOf([
    keyListsPolicy(rules.keysAllowed, rules.keysDenied),
    kindListsPolicy(rules.kindsAllowed, rules.kindsDenied),
    authenticationKindPolicy,
    eventAgePolicy(rules.limits),
    eventSizePolicy(rules.limits),
    proofOfWorkPolicy(rules.difficulty, rules.difficultyByKind),
    protectedPolicy,
  ]);
}
