import { finalizeEvent } from 'nostr-tools/pure';
import type { NostrEvent } from '../nostr/event.ts';
import type { RelayInformation } from '../upstream/information.ts';
import type { StepTimes } from './walk.ts';

/** The mark of every event of a probe, so that people and filters can tell them from real ones. */
export const PROBE_TOPIC = 'distrise-probe';

/** Kinds that no client shows: a regular one (1000 to 9999) and an ephemeral one. */
const KIND_REGULAR = 9_911;
const KIND_EPHEMERAL = 20_911;
const KIND_DELETION = 5;
const KIND_RELAY_MONITORED = 30_166;

/** Should a deletion fail, the event still ends by itself (NIP-40). */
const LIFE_SECONDS = 3_600;

/** The events of one probe; `nonce` makes them new each time. */
export interface ProbeEvents {
  readonly ephemeral: NostrEvent;
  readonly regular: NostrEvent;
  readonly deletion: NostrEvent;
}

/** Makes and signs what one probe publishes. */
export function probeEvents(key: Uint8Array, nowMs: number, nonce: string): ProbeEvents {
  const created_at = Math.floor(nowMs / 1_000);
  const marks = [
    ['t', PROBE_TOPIC],
    ['d', nonce],
    ['expiration', String(created_at + LIFE_SECONDS)],
  ];
  const sign = (kind: number, tags: string[][], content: string): NostrEvent =>
    finalizeEvent({ kind, created_at, tags, content }, key);
  const words = 'A probe of this relay by its operator. It is deleted at once.';
  const regular = sign(KIND_REGULAR, marks, words);
  return {
    ephemeral: sign(KIND_EPHEMERAL, marks, words),
    regular,
    deletion: sign(
      KIND_DELETION,
      [['e', regular.id], ['k', String(KIND_REGULAR)], ...marks],
      'probe done',
    ),
  };
}

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
