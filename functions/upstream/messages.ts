import type { Filter } from '../nostr/filter.ts';
import { plainFilter } from '../nostr/plain-filter.ts';
import { accept, type Result, refuse } from '../nostr/result.ts';

export { plainFilter };

/** What a relay says (NIP-01), with nothing believed of the event inside. */
export type RelayMessage =
  | { readonly type: 'EVENT'; readonly subscription: string; readonly event: unknown }
  | { readonly type: 'EOSE'; readonly subscription: string; readonly hint?: EoseHint }
  | { readonly type: 'CLOSED'; readonly subscription: string; readonly message: string }
  | {
      readonly type: 'OK';
      readonly id: string;
      readonly accepted: boolean;
      readonly message: string;
    }
  | { readonly type: 'NOTICE'; readonly message: string }
  /** NIP-42. */
  | { readonly type: 'AUTH'; readonly challenge: string }
  | { readonly type: 'NEG-MSG'; readonly session: string; readonly hex: string }
  | { readonly type: 'NEG-ERR'; readonly session: string; readonly reason: string }
  /** A verb of a later NIP, which the one who knows no such NIP may ignore. */
  | { readonly type: 'OTHER'; readonly verb: string };

/** NIP-67: whether more stored events match than the relay has sent. */
export type EoseHint = 'finish' | 'more';

/** Longer words of a relay are cut: they end up in logs and on terminals. */
const WORDS_MAX = 1_000;
/** What we send back signed is not of the relay's length of choice. */
const CHALLENGE_MAX = 1_000;

/** A relay's words made fit for one line of a log or terminal. */
export function cleanWords(words: string): string {
  const cut = words.length > WORDS_MAX ? `${words.slice(0, WORDS_MAX)}…` : words;
  return cut.toWellFormed().replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ');
}

const VERBS: ReadonlySet<string> = new Set([
  'EVENT',
  'EOSE',
  'CLOSED',
  'OK',
  'NOTICE',
  'AUTH',
  'NEG-MSG',
  'NEG-ERR',
]);

/** Parses one message of a relay; the reason of a refusal names the fault. */
export function parseRelayMessage(text: string): Result<RelayMessage> {
  let parts: unknown;
  try {
    parts = JSON.parse(text);
  } catch {
    return refuse('message is not JSON');
  }
  if (!Array.isArray(parts)) return refuse('message is not a JSON array');
  const [verb, second, third, fourth] = parts as unknown[];
  if (typeof verb !== 'string') return refuse('message has no verb');
  if (!VERBS.has(verb)) {
    return accept({ type: 'OTHER', verb: cleanWords(verb) });
  }
  if (typeof second !== 'string') return refuse(`${verb} without a string after the verb`);
  switch (verb) {
    case 'EVENT':
      return accept({ type: 'EVENT', subscription: second, event: third });
    case 'EOSE':
      return accept({ type: 'EOSE', subscription: second, ...hintIn(third) });
    case 'CLOSED':
      return accept({ type: 'CLOSED', subscription: second, message: wordsIn(third) });
    case 'OK':
      if (typeof third !== 'boolean') return refuse('OK without true or false');
      return accept({ type: 'OK', id: second, accepted: third, message: wordsIn(fourth) });
    case 'AUTH':
      if (second.length > CHALLENGE_MAX) return refuse('AUTH with an endless challenge');
      return accept({ type: 'AUTH', challenge: second });
    case 'NEG-MSG':
      if (typeof third !== 'string') return refuse('NEG-MSG without a message');
      return accept({ type: 'NEG-MSG', session: second, hex: third });
    case 'NEG-ERR':
      return accept({ type: 'NEG-ERR', session: second, reason: wordsIn(third) });
    default:
      return accept({ type: 'NOTICE', message: cleanWords(second) });
  }
}

/** Who says both has not said that nothing is missing. */
function hintIn(value: unknown): { hint?: EoseHint } {
  if (!Array.isArray(value)) return {};
  if (value.includes('more')) return { hint: 'more' };
  return value.includes('finish') ? { hint: 'finish' } : {};
}

const wordsIn = (value: unknown): string => (typeof value === 'string' ? cleanWords(value) : '');

/** The text of a REQ. */
export const requestText = (id: string, filters: readonly Filter[]): string =>
  JSON.stringify(['REQ', id, ...filters.map(plainFilter)]);
