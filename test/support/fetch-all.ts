import type { NostrEvent } from '../../functions/nostr/event.ts';
import type { PlainFilter } from './slow-oracle.ts';
import { SocketClient } from './socket-client.ts';

/** Small enough for every relay's maximum, large enough that no second holds more. */
const PAGE = 400;

/** Everything an instance serves for a filter, page by page from the newest on, each event once. */
export async function fetchAll(url: string, filter: PlainFilter = {}): Promise<NostrEvent[]> {
  const found = new Map<string, NostrEvent>();
  const client = await SocketClient.open(url);
  for (let until = Number.MAX_SAFE_INTEGER; ; ) {
    const page = await client.query({ ...filter, until, limit: PAGE });
    for (const event of page) found.set(event.id, event);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) break;
    if (last.created_at === until) {
      throw new Error(`more than ${PAGE} events in the second ${until}: a page cannot pass it`);
    }
    // Not one less: the page may have ended in the middle of a second.
    until = last.created_at;
  }
  await client.close();
  return [...found.values()];
}
