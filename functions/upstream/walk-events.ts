import { finalizeEvent } from 'nostr-tools/pure';
import type { NostrEvent } from '../nostr/event.ts';

/** The mark of every event of a probe, so that people and filters can tell them from real ones. */
export const PROBE_TOPIC = 'distrise-probe';

/** Kinds that no client shows: a regular one (1000 to 9999) and an ephemeral one. */
const KIND_REGULAR = 9_911;
const KIND_EPHEMERAL = 20_911;
/** For relays that take only some kinds, data of an application (NIP-78), which most of them do. */
const KIND_APPLICATION = 30_078;
const KIND_DELETION = 5;

/**
 * Of the nonce, in the names of addressable events: of two versions from one second a relay keeps
 * only one, so two probes must hardly ever share a name, and what can stay must have an end (4096).
 */
const NAME_CHARACTERS = 3;

/** Should a deletion fail, the event still ends by itself (NIP-40). */
const LIFE_SECONDS = 3_600;

/**
 * The events of one probe; `nonce` makes them new each time. Of `live` and `stored` the first that
 * the relay's rules let through is published; the others are addressable with few names, so that
 * where no deletion is taken they do not grow without end.
 */
export interface ProbeEvents {
  readonly live: readonly [NostrEvent, ...NostrEvent[]];
  readonly stored: readonly [NostrEvent, ...NostrEvent[]];
  /** Of all that may be stored. */
  readonly deletion: NostrEvent;
}

/** Makes and signs what one probe publishes. */
export function probeEvents(key: Uint8Array, nowMs: number, nonce: string): ProbeEvents {
  const created_at = Math.floor(nowMs / 1_000);
  const marksOf = (name: string) => [
    ['t', PROBE_TOPIC],
    ['d', name],
    ['expiration', String(created_at + LIFE_SECONDS)],
  ];
  const sign = (kind: number, tags: string[][], content: string): NostrEvent =>
    finalizeEvent({ kind, created_at, tags, content }, key);
  const words = 'A probe of this relay by its operator. It is deleted at once.';
  const regular = sign(KIND_REGULAR, marksOf(nonce), words);
  const [seenLive, kept] = ['live', 'stored'].map((name) =>
    sign(
      KIND_APPLICATION,
      marksOf(`${PROBE_TOPIC}-${name}-${nonce.slice(0, NAME_CHARACTERS)}`),
      words,
    ),
  ) as [NostrEvent, NostrEvent];
  const deletable = [regular, seenLive, kept];
  return {
    live: [sign(KIND_EPHEMERAL, marksOf(nonce), words), seenLive],
    stored: [regular, kept],
    deletion: sign(
      KIND_DELETION,
      [
        ...deletable.map(({ id }) => ['e', id]),
        ...[KIND_REGULAR, KIND_APPLICATION].map((kind) => ['k', String(kind)]),
        ...marksOf(nonce),
      ],
      'probe done',
    ),
  };
}
