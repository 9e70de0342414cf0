import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type Event,
  EventRepository,
  type Filter,
  type IncomingMessage,
} from '@nostr-relay/common';
import { NostrRelay } from '@nostr-relay/core';
import { WebSocketServer } from 'ws';
import { compareEvents, type NostrEvent } from '../../functions/nostr/event.ts';
import { matches, type PlainFilter } from './slow-oracle.ts';

export interface ForeignRelay {
  readonly url: string;
  /** REQs that it was asked. */
  readonly requests: () => number;
  /** Bytes that it sent. */
  readonly bytes: () => number;
  close(): Promise<void>;
}

/** Relay software that we did not write (`@nostr-relay/core`), over events in memory. */
export async function startForeignRelay(
  events: readonly NostrEvent[],
  { limitMax = 500 }: { readonly limitMax?: number } = {},
): Promise<ForeignRelay> {
  const relay = new NostrRelay(new MemoryRepository(events, limitMax), {
    maxSubscriptionsPerClient: 100,
  });
  const http = createServer((_, response) => response.writeHead(404).end());
  const server = new WebSocketServer({ server: http });
  let requests = 0;
  let bytes = 0;
  server.on('connection', (socket) => {
    const send = socket.send.bind(socket) as (text: string) => void;
    const client = {
      get readyState() {
        return socket.readyState;
      },
      send(text: string) {
        bytes += text.length;
        send(text);
      },
    };
    relay.handleConnection(client);
    socket.on('message', (data) => {
      const message = JSON.parse(data.toString()) as IncomingMessage;
      if (message[0] === 'REQ') requests += 1;
      // What it does not know it does not answer.
      if (!['REQ', 'EVENT', 'CLOSE', 'AUTH'].includes(message[0])) {
        client.send(JSON.stringify(['NOTICE', `unknown message: ${String(message[0])}`]));
        return;
      }
      relay.handleMessage(client, message).catch(() => socket.terminate());
    });
    socket.on('close', () => relay.handleDisconnect(client));
    socket.on('error', () => socket.terminate());
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  return {
    url: `ws://127.0.0.1:${port}`,
    requests: () => requests,
    bytes: () => bytes,
    async close() {
      for (const socket of server.clients) socket.terminate();
      server.close();
      await new Promise((resolve) => http.close(resolve));
      await relay.destroy();
    },
  };
}

/** A list in NIP-01's order; what matches is found by looking at all that the times allow. */
class MemoryRepository extends EventRepository {
  readonly #events: NostrEvent[];
  readonly #byId: ReadonlyMap<string, NostrEvent>;
  readonly #limitMax: number;

  constructor(events: readonly NostrEvent[], limitMax: number) {
    super();
    this.#events = [...events].sort(compareEvents);
    this.#byId = new Map(events.map((event) => [event.id, event]));
    this.#limitMax = limitMax;
  }

  isSearchSupported(): boolean {
    return false;
  }

  upsert(event: Event): { isDuplicate: boolean } {
    const isDuplicate = this.#events.some(({ id }) => id === event.id);
    if (!isDuplicate) this.#events.push(event as NostrEvent);
    this.#events.sort(compareEvents);
    return { isDuplicate };
  }

  find(filter: Filter): Event[] {
    const plain = filter as unknown as PlainFilter;
    const limit = Math.min(filter.limit ?? this.#limitMax, this.#limitMax);
    const found: NostrEvent[] = [];
    for (const event of this.#candidates(plain)) {
      if (found.length >= limit) break;
      if (matches(plain, event)) found.push(event);
    }
    return found as unknown as Event[];
  }

  async destroy(): Promise<void> {}

  #candidates({ ids, until }: PlainFilter): readonly NostrEvent[] {
    if (ids !== undefined) return ids.flatMap((id) => this.#byId.get(id) ?? []).sort(compareEvents);
    if (until === undefined) return this.#events;
    // The first one that is not newer than `until`.
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#events[middle]?.created_at ?? 0) > until) low = middle + 1;
      else high = middle;
    }
    return this.#events.slice(low, low + 20_000);
  }
}
