import { KIND_AUTHENTICATION } from '../nostr/kinds.ts';
import { refuse } from '../nostr/result.ts';
import { PASSED, type WritePolicy } from './write-policy.ts';

/**
 * Refuses what proves a key to a relay: whoever gets it could use it (NIP-42: "Relays MUST exclude
 * `kind: 22242` events from being broadcasted to any client").
 */
export const authenticationKindPolicy: WritePolicy = ({ kind }) =>
  kind === KIND_AUTHENTICATION
    ? refuse(`invalid: kind ${kind} (NIP-42) is for AUTH messages and is never passed on`)
    : PASSED;
