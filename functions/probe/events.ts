import { finalizeEvent } from 'nostr-tools/pure';
import type { NostrEvent } from '../nostr/event.ts';
import type { RelayInformation } from '../upstream/information.ts';
import type { StepTimes } from '../upstream/walk.ts';

const KIND_RELAY_MONITORED = 30_166;

/**
 * What was measured, as NIP-66 wants it: an addressable event of kind 30166 with the relay's
 * address in `d` and round-trip times in milliseconds.
 */
export function monitorEvent(
  key: Uint8Array,
  nowMs: number,
  address: string,
  times: StepTimes,
  information: RelayInformation | undefined,
): NostrEvent {
  const tags = [
    ['d', address],
    ['n', 'clearnet'],
  ];
  const rounds = { open: times.open, read: times.read, write: times.write };
  for (const [name, ms] of Object.entries(rounds)) {
    if (ms !== undefined) tags.push([`rtt-${name}`, String(Math.round(ms))]);
  }
  for (const nip of information?.supportedNips ?? []) tags.push(['N', String(nip)]);
  if (information?.authRequired !== undefined) {
    tags.push(['R', information.authRequired ? 'auth' : '!auth']);
  }
  const created_at = Math.floor(nowMs / 1_000);
  return finalizeEvent({ kind: KIND_RELAY_MONITORED, created_at, tags, content: '' }, key);
}
