import type { NostrEvent } from '../nostr/event.ts';
import { UpstreamFailure } from './failure.ts';
import type { EoseHint } from './messages.ts';
import type { Subscription } from './subscription.ts';

/** A relay's whole answer to one filter, up to its EOSE. */
export interface Page {
  /** The genuine ones, in the order in which they came. */
  readonly events: readonly NostrEvent[];
  /** All that took a place in the answer, also what was dropped. */
  readonly received: number;
  /** The least `created_at` in the answer, also of what was forged; undefined where there is none. */
  readonly oldest: number | undefined;
  /** The limit that was asked for. */
  readonly asked: number;
  /** What the relay says of the rest (NIP-67). */
  readonly hint?: EoseHint;
}

/**
 * Reads a subscription's stored events; undefined where we closed it before its EOSE. Throws an
 * `UpstreamFailure`; its code is `refused`, with the relay's words, where it answered CLOSED.
 */
export async function readPage(
  subscription: Subscription,
  asked: number,
  onEvent: () => void = () => {},
): Promise<Page | undefined> {
  const events: NostrEvent[] = [];
  for await (const item of subscription) {
    if (item.type === 'closed') throw new UpstreamFailure('refused', item.message);
    if (item.type === 'eose') return pageOf(events, subscription, asked, item.hint);
    events.push(item.event);
    onEvent();
  }
  return undefined;
}

function pageOf(
  events: readonly NostrEvent[],
  { dropped }: Subscription,
  asked: number,
  hint: EoseHint | undefined,
): Page {
  const { malformed, unasked, forged, forgedOldest, excess } = dropped;
  const oldest = events.reduce((least, one) => Math.min(least, one.created_at), forgedOldest);
  // Who was made to stop at the limit has not sent all, whatever it says.
  const believed = excess > 0 ? undefined : hint;
  return {
    events,
    received: events.length + malformed + unasked + forged + excess,
    oldest: Number.isFinite(oldest) ? oldest : undefined,
    asked,
    ...(believed && { hint: believed }),
  };
}

/** True where each event is as old as the one before it, or older. */
export function isNewestFirst(events: readonly NostrEvent[]): boolean {
  return events.every((one, at) => one.created_at <= (events[at - 1]?.created_at ?? Infinity));
}

/** The answer of a relay that has nothing. */
export const EMPTY_PAGE: Page = { events: [], received: 0, oldest: undefined, asked: 0 };

/** True where the relay has nothing; one that has more and gives nothing is not believed. */
export const isEmpty = ({ received, hint }: Page): boolean => received === 0 && hint !== 'more';

/** The page's events, each once, without those that are known. */
export function freshOf(page: Page, known: ReadonlySet<string>): NostrEvent[] {
  const fresh = new Map<string, NostrEvent>();
  for (const event of page.events) if (!known.has(event.id)) fresh.set(event.id, event);
  return [...fresh.values()];
}

export const idsAt = (page: Page, second: number): ReadonlySet<string> =>
  new Set(page.events.filter((one) => one.created_at === second).map(({ id }) => id));
