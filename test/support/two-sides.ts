import type { NostrEvent } from '../../functions/nostr/event.ts';
import { signedEvent } from './signed-events.ts';
import { EventStream } from './stream.ts';

/** Two holders of events, each of which lacks a tenth of all, here and there. */
export interface TwoSides {
  readonly all: readonly NostrEvent[];
  readonly ours: readonly NostrEvent[];
  readonly theirs: readonly NostrEvent[];
  readonly onlyOurs: readonly NostrEvent[];
  readonly onlyTheirs: readonly NostrEvent[];
}

/** @param count events on each side. */
export function twoSides(count: number): TwoSides {
  const all = Array.from({ length: Math.round(count / 0.9) }, (_, n) =>
    signedEvent({
      key: n % 97,
      kind: [1, 7, 1_111][n % 3]!,
      created_at: 1_700_000_000 + Math.floor(n / 3),
      content: `${n}`,
    }),
  );
  return {
    all,
    ours: all.filter((_, n) => n % 10 !== 0),
    theirs: all.filter((_, n) => n % 10 !== 5),
    onlyOurs: all.filter((_, n) => n % 10 === 5),
    onlyTheirs: all.filter((_, n) => n % 10 === 0),
  };
}

/** Publishes events to a relay. @throws where it refuses one. */
export async function publishAll(url: string, events: readonly NostrEvent[]): Promise<void> {
  const source = events.values();
  const stream = new EventStream({ url, source: () => source.next().value, inFlight: 128 });
  await stream.done;
  const [refused] = stream.refused.values();
  if (refused !== undefined) throw new Error(`${url} refused an event: ${refused}`);
}
