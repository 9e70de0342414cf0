import type { NostrEvent } from '../../functions/nostr/event.ts';
import {
  type ClientSaid,
  type ScriptedClient,
  type ScriptedRelay,
  startScriptedRelay,
} from './scripted-relay.ts';
import { inOrder, matches, type PlainFilter } from './slow-oracle.ts';

/** How a relay with events behaves; by default as NIP-01 wants it. */
export interface UpstreamManners {
  readonly events: readonly NostrEvent[];
  /** The most events that it gives for one filter. */
  readonly cap?: number;
  /** Which of what matches is given, and in what order; newest first by default. */
  readonly arrange?: (matching: readonly NostrEvent[], limit: number) => readonly NostrEvent[];
  /** Says what it knows of the rest (NIP-67). */
  readonly hints?: boolean;
  /** Takes part in a REQ before the relay does; true where nothing more is to be done. */
  readonly onReq?: (request: UpstreamRequest) => boolean;
  /** What else a client says. */
  readonly onOther?: (message: ClientSaid, client: ScriptedClient) => void;
  readonly onConnect?: (client: ScriptedClient) => void;
}

export interface UpstreamRequest {
  /** Counts REQs from 0. */
  readonly number: number;
  readonly id: string;
  readonly filter: PlainFilter;
  readonly client: ScriptedClient;
  /** What the relay would give. */
  readonly page: readonly NostrEvent[];
  /** Gives it. */
  give(events?: readonly NostrEvent[], hint?: string): void;
}

/** A relay with events, on a real socket. */
export function startScriptedUpstream(manners: UpstreamManners): Promise<ScriptedRelay> {
  const { events, cap = Number.POSITIVE_INFINITY, hints = false } = manners;
  const { arrange = (matching, limit) => matching.slice(0, limit) } = manners;
  let requests = 0;
  return startScriptedRelay({
    ...(manners.onConnect && { onConnect: manners.onConnect }),
    onMessage(message, client) {
      const [verb, id, filter] = message as [string, string, PlainFilter];
      if (verb !== 'REQ') return manners.onOther?.(message, client);
      const limit = Math.min(filter.limit ?? cap, cap);
      const matching = inOrder(events.filter((event) => matches(filter, event)));
      const page = arrange(matching, limit);
      const give = (given: readonly NostrEvent[] = page, hint?: string) => {
        for (const event of given) client.send(['EVENT', id, event]);
        client.send(hint === undefined ? ['EOSE', id] : ['EOSE', id, [hint]]);
      };
      const request = { number: requests, id, filter, client, page, give };
      requests += 1;
      if (manners.onReq?.(request) === true) return;
      give(page, hints ? (page.length < matching.length ? 'more' : 'finish') : undefined);
    },
  });
}
