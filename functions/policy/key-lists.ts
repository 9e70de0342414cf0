import { isHex64 } from '../nostr/event.ts';
import { accept, type Result, refuse } from '../nostr/result.ts';
import { PASSED, type WritePolicy } from './write-policy.ts';

/** Parses public keys in lowercase hex, separated by commas or white space. */
export function parseKeys(text: string): Result<ReadonlySet<string>> {
  const keys = text.split(/[\s,]+/).filter((key) => key !== '');
  const wrong = keys.findIndex((key) => !isHex64(key));
  if (wrong === -1) return accept(new Set(keys));
  // Told by its place, not repeated: what was pasted by mistake may be a secret.
  return refuse(`public key number ${wrong + 1} is not 64 lowercase hex characters`);
}

/**
 * Refuses authors that are denied, and where any are allowed by name, all others.
 * @param allowed empty means everybody.
 */
export function keyListsPolicy(
  allowed: ReadonlySet<string>,
  denied: ReadonlySet<string>,
): WritePolicy {
  return ({ pubkey }) => {
    if (denied.has(pubkey)) return refuse('blocked: this public key is banned from writing here');
    if (allowed.size > 0 && !allowed.has(pubkey)) {
      return refuse('restricted: only public keys on the list of this relay may write here');
    }
    return PASSED;
  };
}
