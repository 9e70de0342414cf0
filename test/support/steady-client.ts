import { WebSocket } from 'ws';
import { eventText, type NostrEvent } from '../../functions/nostr/event.ts';

/** The first wait before a client comes back, and the longest; in between it doubles, by chance. */
const BACKOFF_MS = 1_000;
const BACKOFF_MAX_MS = 10_000;
const ID = /"id":"([0-9a-f]{64})"/;

interface Publishing {
  readonly event: NostrEvent;
  readonly accepted: () => void;
}

/**
 * A client as people's are: it keeps one subscription open and publishes, comes back after a while
 * when the connection is lost, asks again for what it may have missed, and sends again what has no
 * OK. It reads quickly and checks little, so that hundreds fit one process.
 */
export class SteadyClient {
  /** Ids that came in, stored or live. */
  readonly received = new Set<string>();
  /** How often it was connected. */
  connections = 0;
  /** Close codes, oldest first. */
  readonly closed: number[] = [];
  /** The longest time between the end of a connection and the EOSE of the next. */
  longestGapMs = 0;
  /** What the relay answered other than OK true. */
  readonly refusals: string[] = [];
  readonly #url: string;
  readonly #topic: string;
  readonly #publishing = new Map<string, Publishing>();
  #socket: WebSocket | undefined;
  #live = false;
  #lostAtMs: number | undefined;
  #attempts = 0;
  #over = false;

  constructor(url: string, topic: string) {
    this.#url = url;
    this.#topic = topic;
    this.#connect();
  }

  /** After EOSE. */
  get live(): boolean {
    return this.#live;
  }

  /** Events without an OK so far. */
  get unanswered(): number {
    return this.#publishing.size;
  }

  /** @param accepted called at its OK true, however many connections that takes. */
  publish(event: NostrEvent, accepted: () => void): void {
    this.#publishing.set(event.id, { event, accepted });
    if (this.#socket?.readyState === WebSocket.OPEN) this.#send(event);
  }

  stop(): void {
    this.#over = true;
    this.#socket?.terminate();
  }

  #connect(): void {
    if (this.#over) return;
    const socket = new WebSocket(this.#url, { perMessageDeflate: false, handshakeTimeout: 10_000 });
    this.#socket = socket;
    socket.on('open', () => {
      this.connections += 1;
      this.#attempts = 0;
      socket.send(JSON.stringify(['REQ', 's', { '#t': [this.#topic], limit: 5_000 }]));
      for (const { event } of this.#publishing.values()) this.#send(event);
    });
    socket.on('message', (data: Buffer) => this.#take(data));
    socket.on('error', () => undefined);
    socket.on('close', (code) => this.#lost(code));
  }

  #send(event: NostrEvent): void {
    this.#socket?.send(`["EVENT",${eventText(event)}]`);
  }

  #lost(code: number): void {
    this.closed.push(code);
    this.#live = false;
    this.#lostAtMs ??= performance.now();
    const longest = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** this.#attempts);
    this.#attempts += 1;
    if (!this.#over) setTimeout(() => this.#connect(), longest * Math.random());
  }

  #take(data: Buffer): void {
    if (data.toString('latin1', 0, 9) === '["EVENT",') {
      const id = ID.exec(data.toString('latin1', 0, 200))?.[1];
      if (id !== undefined) this.received.add(id);
      return;
    }
    const [verb, id, verdict, message] = JSON.parse(data.toString()) as unknown[];
    if (verb === 'EOSE') {
      this.#live = true;
      const gap = performance.now() - (this.#lostAtMs ?? performance.now());
      this.longestGapMs = Math.max(this.longestGapMs, gap);
      this.#lostAtMs = undefined;
    } else if (verb === 'OK' && verdict === true) {
      this.#publishing.get(String(id))?.accepted();
      this.#publishing.delete(String(id));
    } else if (verb === 'OK') {
      this.refusals.push(String(message));
    }
  }
}
