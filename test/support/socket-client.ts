import { WebSocket } from 'ws';
import { eventText, type NostrEvent } from '../../functions/nostr/event.ts';
import type { PlainFilter } from './slow-oracle.ts';
import { StrictSubscription } from './strict-subscription.ts';

/** What an OK message said. */
export interface Answer {
  readonly accepted: boolean;
  readonly message: string;
}

/** The stored answer to a REQ. */
export interface Collected {
  readonly events: readonly NostrEvent[];
  /** The message of CLOSED, where the relay ended the subscription instead of EOSE. */
  readonly closed?: string;
}

/** A subscription that stays open after EOSE. */
export interface LiveSubscription {
  readonly id: string;
  readonly stored: readonly NostrEvent[];
  /** Live events that nobody has taken with `next` yet, oldest first. */
  readonly queue: readonly NostrEvent[];
  /** All live events so far, by id. */
  readonly received: ReadonlyMap<string, NostrEvent>;
  /** Why the relay ended it, if it did. */
  readonly closed: string | undefined;
  /** Takes the next live event; an error after `timeoutMs`. */
  next(timeoutMs?: number): Promise<NostrEvent>;
  /** Sends CLOSE. */
  close(): void;
}

interface Opened {
  readonly checks: StrictSubscription;
  readonly queue: NostrEvent[];
  readonly received: Map<string, NostrEvent>;
  wake: () => void;
  closedMessage?: string;
}

interface Waiter<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}

const TIMEOUT_MS = 10_000;
const PREFIX = /^[a-z-]+: /;

/**
 * A bare Nostr client that trusts no relay: any frame that NIP-01 does not allow at its place is
 * a fault, which ends the connection and fails whatever waits, and `close`.
 */
export class SocketClient {
  readonly url: string;
  readonly notices: string[] = [];
  /** Resolves when the connection has ended, however. */
  readonly ended: Promise<{ code: number; reason: string }>;
  private readonly socket: WebSocket;
  private readonly subscriptions = new Map<string, Opened>();
  /** Ids that were closed by us: their events may still be under way. */
  private readonly retired = new Set<string>();
  private readonly publishing = new Map<string, Waiter<Answer>[]>();
  private readonly exchanges: Waiter<unknown[]>[] = [];
  private failure: Error | undefined;
  private fault: Error | undefined;
  private counter = 0;

  private constructor(url: string, socket: WebSocket) {
    this.url = url;
    this.socket = socket;
    this.ended = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        this.fail(new Error(`${url}: the connection ended with code ${code} ${reason}`));
        resolve({ code, reason: String(reason) });
      });
    });
    socket.on('error', (error) => this.fail(error));
    socket.on('message', (data: Buffer, isBinary) => {
      const fault = isBinary ? 'a binary frame' : this.take(data.toString());
      if (fault === undefined) return;
      const text = data.subarray(0, 300).toString();
      this.fault ??= new Error(`${url} broke the protocol: ${fault}; frame: ${text}`);
      this.fail(this.fault);
      socket.terminate();
    });
  }

  /** Connects; an error when the relay does not answer in time. */
  static async open(url: string, timeoutMs = TIMEOUT_MS): Promise<SocketClient> {
    const socket = new WebSocket(url, { handshakeTimeout: timeoutMs, perMessageDeflate: false });
    const client = new SocketClient(url, socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', () => resolve());
      socket.once('error', reject);
    });
    return client;
  }

  get isOpen(): boolean {
    return this.failure === undefined && this.socket.readyState === WebSocket.OPEN;
  }

  /** Sends EVENT and waits for its OK. */
  publish(event: NostrEvent, timeoutMs = TIMEOUT_MS): Promise<Answer> {
    return this.wait(`OK for ${event.id}`, timeoutMs, (waiter) => {
      this.publishing.set(event.id, [...(this.publishing.get(event.id) ?? []), waiter]);
      this.socket.send(`["EVENT",${eventText(event)}]`);
    });
  }

  /** Publishes and expects OK true. */
  async store(event: NostrEvent, timeoutMs = TIMEOUT_MS): Promise<void> {
    const { accepted, message } = await this.publish(event, timeoutMs);
    if (!accepted) throw new Error(`${this.url} refused ${event.id}: ${message}`);
  }

  /** Sends REQ, collects until EOSE or CLOSED, sends CLOSE. */
  async collect(filters: PlainFilter | PlainFilter[], timeoutMs = TIMEOUT_MS): Promise<Collected> {
    const id = this.nextId();
    const opened = await this.req(id, [filters].flat(), timeoutMs);
    const { checks, closedMessage } = opened;
    this.closeSubscription(id);
    return closedMessage === undefined
      ? { events: checks.stored }
      : { events: checks.stored, closed: closedMessage };
  }

  /** The stored events; CLOSED is an error. */
  async query(filters: PlainFilter | PlainFilter[], timeoutMs = TIMEOUT_MS): Promise<NostrEvent[]> {
    const { events, closed } = await this.collect(filters, timeoutMs);
    if (closed !== undefined) throw new Error(`${this.url} closed the subscription: ${closed}`);
    return [...events];
  }

  /** Sends REQ and resolves at EOSE with the subscription, which goes on. */
  async subscribe(
    filters: PlainFilter | PlainFilter[],
    timeoutMs = TIMEOUT_MS,
  ): Promise<LiveSubscription> {
    const id = this.nextId();
    const opened = await this.req(id, [filters].flat(), timeoutMs);
    if (opened.closedMessage !== undefined) {
      throw new Error(`${this.url} closed the subscription: ${opened.closedMessage}`);
    }
    const { checks, queue, received } = opened;
    return {
      id,
      stored: checks.stored,
      queue,
      received,
      get closed() {
        return opened.closedMessage;
      },
      next: (nextTimeoutMs = TIMEOUT_MS) => this.nextLive(opened, nextTimeoutMs),
      close: () => this.closeSubscription(id),
    };
  }

  /** Sends anything; `exchange` where an answer is wanted. */
  send(raw: string | Buffer): void {
    this.socket.send(raw);
  }

  /** Sends anything and waits for the next frame that answers nothing else. */
  exchange(raw: string | Buffer, timeoutMs = TIMEOUT_MS): Promise<unknown[]> {
    return this.wait(`an answer to ${String(raw).slice(0, 100)}`, timeoutMs, (waiter) => {
      this.exchanges.push(waiter);
      this.socket.send(raw);
    });
  }

  /** Stops reading, so that the relay's frames pile up at its side. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Ends the connection; throws when the relay broke the protocol at any time. */
  async close(): Promise<void> {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.close();
    const timer = setTimeout(() => this.socket.terminate(), 2_000);
    await this.ended;
    clearTimeout(timer);
    if (this.fault !== undefined) throw this.fault;
  }

  /** Breaks the connection off without a word. */
  terminate(): void {
    this.socket.terminate();
  }

  private nextId(): string {
    this.counter += 1;
    return `s${this.counter}`;
  }

  private async req(id: string, filters: PlainFilter[], timeoutMs: number): Promise<Opened> {
    const opened: Opened = {
      checks: new StrictSubscription(filters),
      queue: [],
      received: new Map(),
      wake: () => undefined,
    };
    this.subscriptions.set(id, opened);
    await this.wait<void>(
      `EOSE of ${JSON.stringify(filters).slice(0, 200)}`,
      timeoutMs,
      (waiter) => {
        opened.wake = () => {
          if (this.failure !== undefined) waiter.reject(this.failure);
          else if (opened.checks.state !== 'querying') waiter.resolve();
        };
        this.socket.send(JSON.stringify(['REQ', id, ...filters]));
      },
    );
    return opened;
  }

  private nextLive(opened: Opened, timeoutMs: number): Promise<NostrEvent> {
    return this.wait('a live event', timeoutMs, (waiter) => {
      opened.wake = () => {
        const event = opened.queue.shift();
        if (event !== undefined) {
          opened.wake = () => undefined;
          waiter.resolve(event);
        } else if (this.failure !== undefined) waiter.reject(this.failure);
        else if (opened.closedMessage !== undefined) {
          waiter.reject(new Error(`CLOSED: ${opened.closedMessage}`));
        }
      };
      opened.wake();
    });
  }

  private closeSubscription(id: string): void {
    this.subscriptions.delete(id);
    this.retired.add(id);
    if (this.isOpen) this.socket.send(JSON.stringify(['CLOSE', id]));
  }

  private wait<T>(what: string, timeoutMs: number, start: (w: Waiter<T>) => void): Promise<T> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return new Promise<T>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${this.url}: waited ${timeoutMs} ms in vain for ${what}`)),
        timeoutMs,
      );
      start({
        resolve: (value) => {
          clearTimeout(timer);
          resolve(value);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
    });
  }

  private fail(error: Error): void {
    if (this.failure !== undefined) return;
    this.failure = error;
    for (const waiters of this.publishing.values()) for (const w of waiters) w.reject(error);
    for (const waiter of this.exchanges) waiter.reject(error);
    for (const opened of this.subscriptions.values()) opened.wake();
  }

  /** Takes one frame; gives the relay's fault in words. */
  private take(text: string): string | undefined {
    let frame: unknown;
    try {
      frame = JSON.parse(text);
    } catch {
      return 'not JSON';
    }
    if (!Array.isArray(frame) || typeof frame[0] !== 'string') return 'not a message of NIP-01';
    const fields: unknown[] = frame;
    switch (fields[0]) {
      case 'EVENT':
        return this.takeEvent(fields);
      case 'EOSE':
      case 'CLOSED':
        return this.takeEnd(fields);
      case 'OK':
        return this.takeOk(fields);
      case 'NOTICE':
        if (fields.length !== 2 || typeof fields[1] !== 'string') return 'malformed NOTICE';
        this.notices.push(fields[1]);
        this.exchanges.shift()?.resolve(fields);
        return undefined;
      case 'AUTH':
        return typeof fields[1] === 'string' ? undefined : 'malformed AUTH';
      default:
        return this.unexpected(fields, 'unknown verb');
    }
  }

  private unexpected(fields: unknown[], fault: string): string | undefined {
    const waiter = this.exchanges.shift();
    waiter?.resolve(fields);
    return waiter === undefined ? fault : undefined;
  }

  private takeEvent(fields: unknown[]): string | undefined {
    const [, id, value] = fields;
    if (fields.length !== 3 || typeof id !== 'string') return 'malformed EVENT';
    if (this.retired.has(id)) return undefined;
    const opened = this.subscriptions.get(id);
    if (opened === undefined) return this.unexpected(fields, 'EVENT for an unknown subscription');
    const wasLive = opened.checks.state === 'live';
    const taken = opened.checks.takeEvent(value);
    if ('fault' in taken) return taken.fault;
    if (wasLive) {
      opened.queue.push(taken.event);
      opened.received.set(taken.event.id, taken.event);
      opened.wake();
    }
    return undefined;
  }

  private takeEnd(fields: unknown[]): string | undefined {
    const [verb, id, message] = fields;
    const wellFormed =
      verb === 'EOSE' ? fields.length === 2 : fields.length === 3 && typeof message === 'string';
    if (!wellFormed || typeof id !== 'string') return `malformed ${verb}`;
    if (this.retired.has(id)) return undefined;
    const opened = this.subscriptions.get(id);
    if (opened === undefined) return this.unexpected(fields, `${verb} for an unknown subscription`);
    if (verb === 'CLOSED') {
      if (!PREFIX.test(String(message))) return 'CLOSED without a machine-readable prefix';
      opened.closedMessage = String(message);
    }
    const fault = verb === 'EOSE' ? opened.checks.takeEose() : opened.checks.takeClosed();
    if (fault === undefined) opened.wake();
    return fault;
  }

  private takeOk(fields: unknown[]): string | undefined {
    const [, id, accepted, message] = fields;
    if (fields.length !== 4 || typeof id !== 'string' || typeof accepted !== 'boolean') {
      return 'malformed OK';
    }
    if (typeof message !== 'string') return 'OK without a message';
    if (!accepted && !PREFIX.test(message)) return 'OK false without a machine-readable prefix';
    const waiters = this.publishing.get(id);
    const waiter = waiters?.shift();
    if (waiter === undefined) return this.unexpected(fields, 'OK for an event that was not sent');
    if (waiters?.length === 0) this.publishing.delete(id);
    waiter.resolve({ accepted, message });
    return undefined;
  }
}
