import type { NostrEvent } from '../nostr/event.ts';
import type { Filter } from '../nostr/filter.ts';
import type { Connection } from './connection.ts';
import { UpstreamFailure } from './failure.ts';

/**
 * The stored events that match, up to EOSE, as the relay sends them. Throws an
 * `UpstreamFailure`; its code is `refused`, with the relay's words, where it answered CLOSED.
 */
export async function* query(
  connection: Connection,
  filters: readonly Filter[],
): AsyncGenerator<NostrEvent, void, undefined> {
  for await (const item of connection.subscribe(filters)) {
    if (item.type === 'eose') return;
    if (item.type === 'closed') throw new UpstreamFailure('refused', item.message);
    yield item.event;
  }
}
