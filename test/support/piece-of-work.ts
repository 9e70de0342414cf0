import {
  type FetchPagesOptions,
  type FetchPagesResult,
  fetchPages,
} from '../../functions/fetch/pages.ts';
import type { NostrEvent } from '../../functions/nostr/event.ts';
import { type ConnectOptions, connect } from '../../functions/upstream/connection.ts';
import type { ScriptedRelay } from './scripted-relay.ts';
import { startScriptedUpstream, type UpstreamManners } from './scripted-upstream.ts';

export const AMPLE = {
  requestsMax: 10_000,
  bytesMax: 1e9,
  eventsMax: 1_000_000,
  deadlineMs: 20_000,
};

export interface Piece {
  readonly result: FetchPagesResult;
  readonly delivered: readonly NostrEvent[];
  readonly batches: readonly number[];
  readonly relay: ScriptedRelay;
}

/** Starts an upstream, fetches from it, and ends both. */
export async function fetchFrom(
  manners: UpstreamManners,
  options: Partial<FetchPagesOptions> = {},
  connecting: ConnectOptions = {},
): Promise<Piece> {
  const relay = await startScriptedUpstream(manners);
  const connection = await connect(relay.url, {
    verifier: 'none',
    ...(options.clock && { clock: options.clock }),
    ...connecting,
  });
  const delivered: NostrEvent[] = [];
  const batches: number[] = [];
  try {
    const result = await fetchPages(connection, {
      filter: {},
      since: 0,
      until: 1_000,
      pageLimit: 50,
      budget: AMPLE,
      async deliver(events) {
        delivered.push(...events);
        batches.push(events.length);
      },
      ...options,
    });
    return { result, delivered, batches, relay };
  } finally {
    await connection.close();
    await relay.close();
  }
}
