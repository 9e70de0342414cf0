import type { NostrEvent } from '../nostr/event.ts';
import { accept, type Result } from '../nostr/result.ts';

/** What a policy may know beside the event itself. */
export interface WriteContext {
  /** Unix time in seconds. */
  readonly nowSeconds: number;
  /** UTF-8 bytes of the event's text. */
  readonly bytes: number;
}

/**
 * One rule on who may write what. The reason of a refusal begins with NIP-01's machine-readable
 * prefix and gives the number that was found and the limit.
 */
export type WritePolicy = (event: NostrEvent, context: WriteContext) => Result<void>;

/** The one value of every acceptance, so that a passed rule costs no allocation. */
export const PASSED: Result<void> = accept(undefined);

/** All policies in the order given; the first refusal counts and the rest are not asked. */
export function allOf(policies: readonly WritePolicy[]): WritePolicy {
  return (event, context) => {
    for (const policy of policies) {
      const verdict = policy(event, context);
      if (!verdict.ok) return verdict;
    }
    return PASSED;
  };
}
