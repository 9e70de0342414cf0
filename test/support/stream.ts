import { setTimeout as pause } from 'node:timers/promises';
import type { NostrEvent } from '../../functions/nostr/event.ts';
import { SocketClient } from './socket-client.ts';

/** Where a stream's events come from; undefined when there are no more. */
export type Source = () => NostrEvent | undefined;

export interface StreamOptions {
  readonly url: string;
  readonly source: Source;
  /** Where accepted events are noted, when the source wants to know of them. */
  readonly accepted?: Map<string, NostrEvent>;
  /** Unanswered events at a time. */
  readonly inFlight?: number;
  /** At most so many events a second are sent; as many as answers allow when missing. */
  readonly perSecond?: number;
  /** How long one event may stay without a final answer, connections lost included. */
  readonly patienceMs?: number;
}

const CONNECT_TIMEOUT_MS = 3_000;
const RECONNECT_PAUSE_MS = 50;
const RETRY_PAUSE_MS = 200;
const OK_TIMEOUT_MS = 20_000;

/**
 * A client that publishes on and on and gives no event up: it connects again when the
 * connection is lost, and sends again what was not answered or answered with `error:`.
 */
export class EventStream {
  /** Events that got OK true, by id, in the order of the answers. */
  readonly accepted: Map<string, NostrEvent>;
  /** Why events were refused for good, by id. */
  readonly refused = new Map<string, string>();
  /** How often something had to be sent again. */
  resent = 0;
  /** Resolves when the source is dry, or `stop` was called, and everything sent is answered. */
  readonly done: Promise<void>;
  private readonly options: StreamOptions;
  private readonly clients: SocketClient[] = [];
  private connecting: Promise<SocketClient> | undefined;
  private stopped = false;
  private sent = 0;
  private readonly started = performance.now();

  constructor(options: StreamOptions) {
    this.options = options;
    this.accepted = options.accepted ?? new Map();
    const loops = Array.from({ length: options.inFlight ?? 32 }, () => this.loop());
    this.done = Promise.all(loops)
      .finally(() => {
        this.stopped = true;
      })
      .then(() => this.disconnect());
    // Whoever started the stream awaits `done` later; a failure until then is not unhandled.
    this.done.catch(() => undefined);
  }

  /** Takes no more from the source; resolves when what was sent is answered. */
  stop(): Promise<void> {
    this.stopped = true;
    return this.done;
  }

  private async loop(): Promise<void> {
    while (!this.stopped) {
      const event = this.options.source();
      if (event === undefined) return;
      await this.pace();
      await this.publish(event);
    }
  }

  private async pace(): Promise<void> {
    const { perSecond } = this.options;
    this.sent += 1;
    if (perSecond === undefined) return;
    const due = this.started + (this.sent * 1000) / perSecond;
    const wait = due - performance.now();
    if (wait > 0) await pause(wait);
  }

  private async publish(event: NostrEvent): Promise<void> {
    const end = performance.now() + (this.options.patienceMs ?? 60_000);
    for (let last: unknown; ; this.resent += 1) {
      if (performance.now() >= end) {
        throw new Error(`no final answer for ${event.id}`, { cause: last });
      }
      try {
        const client = await this.connect();
        const { accepted, message } = await client.publish(event, OK_TIMEOUT_MS);
        if (accepted) {
          this.accepted.set(event.id, event);
          return;
        }
        if (!message.startsWith('error:')) {
          this.refused.set(event.id, message);
          return;
        }
        last = message;
        await pause(RETRY_PAUSE_MS);
      } catch (error) {
        last = error;
        await pause(RECONNECT_PAUSE_MS);
      }
    }
  }

  /** The connection for all loops; the first that finds it gone makes the next one. */
  private connect(): Promise<SocketClient> {
    const client = this.clients.at(-1);
    if (client?.isOpen) return Promise.resolve(client);
    this.connecting ??= SocketClient.open(this.options.url, CONNECT_TIMEOUT_MS)
      .then((opened) => {
        this.clients.push(opened);
        return opened;
      })
      .finally(() => {
        this.connecting = undefined;
      });
    return this.connecting;
  }

  /** Closes every connection there was: one that broke the protocol says so now. */
  private async disconnect(): Promise<void> {
    for (const client of this.clients) await client.close();
  }
}
