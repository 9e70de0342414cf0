import { finalizeEvent } from 'nostr-tools/pure';
import type { NostrEvent } from '../nostr/event.ts';

/** The mark of every event of a probe, so that people and filters can tell them from real ones. */
export const PROBE_TOPIC = 'distrise-probe';

/** Kinds that no client shows: a regular one (1000 to 9999) and an ephemeral one. */
const KIND_REGULAR = 9_911;
const KIND_EPHEMERAL = 20_911;
const KIND_DELETION = 5;

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
