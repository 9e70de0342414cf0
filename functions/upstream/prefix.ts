/** The machine-readable prefixes of NIP-01 and the NIPs that added to them. */
const KNOWN = new Set([
  'duplicate',
  'pow',
  'blocked',
  'rate-limited',
  'invalid',
  'restricted',
  'mute',
  'error',
  'unsupported',
  'auth-required',
]);

/**
 * The machine-readable prefix of a relay's words; 'other' for unknown ones, so that a relay
 * cannot make up endless many.
 */
export function prefixOf(message: string): string {
  const prefix = /^([a-z-]{1,20}):/.exec(message)?.[1];
  return prefix !== undefined && KNOWN.has(prefix) ? prefix : 'other';
}

/** True where the relay's trouble may pass and the same thing is worth trying again. */
export function isPassing(message: string): boolean {
  const prefix = prefixOf(message);
  return prefix === 'error' || prefix === 'rate-limited';
}

const RULES = new Set(['blocked', 'restricted', 'auth-required', 'pow', 'mute']);

/** True where a relay refuses by its rules on who may do what: no fault of it, and lasting. */
export const isByRule = (message: string): boolean => RULES.has(prefixOf(message));

/** Relays that know no `rate-limited:` say it in a notice, and may leave the REQ unanswered. */
const RATE_WORDS = /rate.?limit|too (many|fast)|slow down|throttl/i;
/** Of what matches there is too much, however slowly it is asked for. */
const TOO_MUCH_WORDS = /too many (query )?(results|events|records|items|elements|matches|ids)/i;

/** True where the words ask us to come more slowly. */
export const saysSlowDown = (words: string): boolean =>
  RATE_WORDS.test(words) && !TOO_MUCH_WORDS.test(words);
