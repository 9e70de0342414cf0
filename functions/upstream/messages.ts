import type { Filter } from '../nostr/filter.ts';
import { accept, type Result, refuse } from '../nostr/result.ts';

/** What a relay says (NIP-01), with nothing believed of the event inside. */
export type RelayMessage =
  | { readonly type: 'EVENT'; readonly subscription: string; readonly event: unknown }
  | { readonly type: 'EOSE'; readonly subscription: string }
  | { readonly type: 'CLOSED'; readonly subscription: string; readonly message: string }
  | {
      readonly type: 'OK';
      readonly id: string;
      readonly accepted: boolean;
      readonly message: string;
    }
  | { readonly type: 'NOTICE'; readonly message: string }
  | { readonly type: 'NEG-MSG'; readonly session: string; readonly hex: string }
  | { readonly type: 'NEG-ERR'; readonly session: string; readonly reason: string }
  /** A verb of a later NIP, which the one who knows no such NIP may ignore. */
  | { readonly type: 'OTHER'; readonly verb: string };

/** Longer words of a relay are cut: they end up in logs and on terminals. */
const WORDS_MAX = 1_000;

/** A relay's words made fit for one line of a log or terminal. */
export function cleanWords(words: string): string {
  const cut = words.length > WORDS_MAX ? `${words.slice(0, WORDS_MAX)}…` : words;
  return cut.toWellFormed().replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ');
}

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
  if (!['EVENT', 'EOSE', 'CLOSED', 'OK', 'NOTICE', 'NEG-MSG', 'NEG-ERR'].includes(verb)) {
    return accept({ type: 'OTHER', verb: cleanWords(verb) });
  }
  if (typeof second !== 'string') return refuse(`${verb} without a string after the verb`);
  switch (verb) {
    case 'EVENT':
      return accept({ type: 'EVENT', subscription: second, event: third });
    case 'EOSE':
      return accept({ type: 'EOSE', subscription: second });
    case 'CLOSED':
      return accept({ type: 'CLOSED', subscription: second, message: wordsIn(third) });
    case 'OK':
      if (typeof third !== 'boolean') return refuse('OK without true or false');
      return accept({ type: 'OK', id: second, accepted: third, message: wordsIn(fourth) });
    case 'NEG-MSG':
      if (typeof third !== 'string') return refuse('NEG-MSG without a message');
      return accept({ type: 'NEG-MSG', session: second, hex: third });
    case 'NEG-ERR':
      return accept({ type: 'NEG-ERR', session: second, reason: wordsIn(third) });
    default:
      return accept({ type: 'NOTICE', message: cleanWords(second) });
  }
}

const wordsIn = (value: unknown): string => (typeof value === 'string' ? cleanWords(value) : '');

/** A filter as NIP-01 writes it in JSON. */
export function plainFilter(filter: Filter): Record<string, unknown> {
  const { tags, ...rest } = filter;
  const plain: Record<string, unknown> = { ...rest };
  for (const [letter, values] of tags ?? []) plain[`#${letter}`] = values;
  return plain;
}

/** The text of a REQ. */
export const requestText = (id: string, filters: readonly Filter[]): string =>
  JSON.stringify(['REQ', id, ...filters.map(plainFilter)]);
