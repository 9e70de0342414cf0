import { kindClass } from '../nostr/kinds.ts';
import { refuse } from '../nostr/result.ts';
import type { WriteLimits } from './limits.ts';
import { PASSED, type WritePolicy } from './write-policy.ts';

/** Refuses events whose `created_at` is too far from the clock. */
export function eventAgePolicy(limits: WriteLimits): WritePolicy {
  return (event, { nowSeconds }) => {
    const ahead = event.created_at - nowSeconds;
    if (ahead > limits.createdAtFutureSecondsMax) {
      return refuse(
        `invalid: created_at is ${ahead} s in the future, ` +
          `${limits.createdAtFutureSecondsMax} s are allowed`,
      );
    }
    const ephemeral = kindClass(event.kind) === 'ephemeral';
    const pastMax = ephemeral ? limits.ephemeralPastSecondsMax : limits.createdAtPastSecondsMax;
    if (pastMax === 0 || -ahead <= pastMax) return PASSED;
    const what = ephemeral ? ' for an ephemeral event' : '';
    return refuse(
      `invalid: created_at is ${-ahead} s in the past, ${pastMax} s are allowed${what}`,
    );
  };
}
