import type { NostrEvent } from '../nostr/event.ts';
import { RELAYS_AN_AUTHOR } from './limits.ts';

/** Of NIP-65: an author's relay list. */
export const KIND_RELAY_LIST = 10_002;
/** Of NIP-66: what a monitor found out about a relay; its address is the `d` tag. */
export const KIND_RELAY_MONITORED = 30_166;

/** A relay and the authors who write there. */
export interface Outbox {
  readonly url: string;
  readonly authors: readonly string[];
}

/**
 * Where authors write, by their relay lists (kind 10002, NIP-65): `r` tags without a marker or
 * with `write`. Only wss addresses, each as `URL.href` writes it.
 */
export function outboxesOf(lists: readonly NostrEvent[]): Outbox[] {
  const authors = new Map<string, Set<string>>();
  for (const { pubkey, kind, tags } of lists) {
    if (kind !== KIND_RELAY_LIST) continue;
    const urls = new Set<string>();
    for (const [name, address, marker] of tags) {
      if (name !== 'r' || (marker !== undefined && marker !== 'write')) continue;
      const url = relayUrl(address);
      if (url !== undefined && urls.size < RELAYS_AN_AUTHOR) urls.add(url);
    }
    for (const url of urls) authors.set(url, (authors.get(url) ?? new Set()).add(pubkey));
  }
  return [...authors].map(([url, of]) => ({ url, authors: [...of].sort() }));
}

/**
 * Relays that two authors or more name in their lists (kind 10002), to read or to write: those that
 * most of them name come first. What only one names may be nobody's relay.
 */
export function relaysInUse(lists: readonly NostrEvent[]): string[] {
  const authors = new Map<string, Set<string>>();
  for (const { pubkey, kind, tags } of lists) {
    if (kind !== KIND_RELAY_LIST) continue;
    const urls = new Set<string>();
    for (const [name, address] of tags) {
      const url = name === 'r' ? relayUrl(address) : undefined;
      if (url !== undefined && urls.size < RELAYS_AN_AUTHOR) urls.add(url);
    }
    for (const url of urls) authors.set(url, (authors.get(url) ?? new Set()).add(pubkey));
  }
  return [...authors]
    .filter(([, of]) => of.size > 1)
    .sort(([, a], [, b]) => b.size - a.size)
    .map(([url]) => url);
}

/** Addresses of relays that monitors have seen (kind 30166, NIP-66). */
export function monitoredRelays(events: readonly NostrEvent[]): string[] {
  const urls = new Set<string>();
  for (const { kind, tags } of events) {
    if (kind !== KIND_RELAY_MONITORED) continue;
    const url = relayUrl(tags.find(([name]) => name === 'd')?.[1]);
    if (url !== undefined) urls.add(url);
  }
  return [...urls];
}

/** Longer addresses are no relay's. */
const URL_CHARACTERS_MAX = 256;

function relayUrl(address: string | undefined): string | undefined {
  if (address === undefined || address.length > URL_CHARACTERS_MAX) return undefined;
  if (!URL.canParse(address)) return undefined;
  const url = new URL(address);
  const plain = url.username === '' && url.password === '' && url.hash === '';
  return url.protocol === 'wss:' && plain ? url.href : undefined;
}
