import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

/**
 * Bytes handed to the operating system's socket before more waits here: enough to keep a fast
 * reader busy, little enough that a ping is not stuck behind minutes of answers.
 */
const SOCKET_BYTES_MAX = 262_144;

/** What one socket may always hold, also when the process as a whole holds too much. */
const FAIR_SHARE_BYTES = 1_048_576;

/** How much of the process's budget stored answers may take. */
const STORED_SHARE = 0.75;

/** Sent messages leave the queue's array when they are half of it, and this many at least. */
const COMPACT_FROM = 1_024;

/** How much may wait for one client. */
export interface OutboxLimits {
  /** Live events and answers other than stored events. */
  readonly sendBytesMax: number;
  /** Stored events. */
  readonly answerBytesMax: number;
}

/** What waits for all clients of the process together. */
export class SendBudget {
  readonly bytesMax: number;
  bytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get exceeded(): boolean {
    return this.bytes > this.bytesMax;
  }

  /** True when so much more of stored answers may wait; the rest is for what cannot be refused. */
  hasRoomForStored(bytes: number): boolean {
    return this.bytes + bytes <= this.bytesMax * STORED_SHARE;
  }
}

interface Waiting {
  readonly text: string;
  readonly stored: boolean;
}

/**
 * What waits to be sent to one client, in order. Messages sent in one turn of the event loop go
 * out in one write. Stored events and the rest are bounded apart: a client that asks for much and
 * reads it as fast as it can is not slow, and must not be closed for it.
 */
export class Outbox {
  readonly #webSocket: WebSocket;
  readonly #socket: Duplex;
  readonly #limits: OutboxLimits;
  readonly #budget: SendBudget;
  readonly #tooSlow: () => void;
  #queue: Waiting[] = [];
  #head = 0;
  #storedBytes = 0;
  #otherBytes = 0;
  #corked = false;
  #closed = false;
  #whenEmpty: (() => void) | undefined;

  /** @param tooSlow called once, when more waits than is allowed; nothing is sent after that. */
  constructor(
    webSocket: WebSocket,
    socket: Duplex,
    limits: OutboxLimits,
    budget: SendBudget,
    tooSlow: () => void,
  ) {
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.#limits = limits;
    this.#budget = budget;
    this.#tooSlow = tooSlow;
    socket.on('drain', () => this.#pump());
  }

  /** Characters that wait here, not counting what the operating system has taken. */
  get waiting(): number {
    return this.#storedBytes + this.#otherBytes;
  }

  /** Sends a message, after all that wait already. */
  send(text: string): void {
    if (this.#closed) return;
    if (this.#canWrite()) {
      this.#write(text);
      return;
    }
    const bytes = this.#otherBytes + text.length;
    const unfair = this.#budget.exceeded && this.waiting > FAIR_SHARE_BYTES;
    if (bytes > this.#limits.sendBytesMax || unfair) {
      this.close();
      this.#tooSlow();
      return;
    }
    this.#otherBytes = bytes;
    this.#enqueue(text, false);
  }

  /**
   * Sends a stored event, after all that wait already.
   * @returns false, and sends nothing, where too many stored events wait for this client.
   */
  sendStored(text: string): boolean {
    if (this.#closed) return true;
    if (this.#canWrite()) {
      this.#write(text);
      return true;
    }
    const bytes = this.#storedBytes + text.length;
    if (bytes > this.#limits.answerBytesMax || !this.#budget.hasRoomForStored(text.length)) {
      return false;
    }
    this.#storedBytes = bytes;
    this.#enqueue(text, true);
    return true;
  }

  /** Calls back, once, when nothing waits here any more. */
  whenEmpty(callback: () => void): void {
    if (this.waiting === 0) callback();
    else this.#whenEmpty = callback;
  }

  /** Forgets what waits and takes no more. */
  close(): void {
    this.#closed = true;
    this.#budget.bytes -= this.waiting;
    this.#queue = [];
    this.#head = 0;
    this.#storedBytes = 0;
    this.#otherBytes = 0;
    this.#emptied();
  }

  #canWrite(): boolean {
    return this.waiting === 0 && this.#webSocket.bufferedAmount < SOCKET_BYTES_MAX;
  }

  #enqueue(text: string, stored: boolean): void {
    this.#budget.bytes += text.length;
    this.#queue.push({ text, stored });
  }

  /** Writes what waits as far as the socket takes it; the socket's `drain` calls again. */
  #pump(): void {
    while (this.waiting > 0 && this.#webSocket.bufferedAmount < SOCKET_BYTES_MAX) {
      const next = this.#queue[this.#head];
      if (next === undefined) return;
      this.#head += 1;
      if (next.stored) this.#storedBytes -= next.text.length;
      else this.#otherBytes -= next.text.length;
      this.#budget.bytes -= next.text.length;
      this.#write(next.text);
    }
    if (this.waiting === 0 || this.#head >= Math.max(COMPACT_FROM, this.#queue.length / 2)) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    if (this.waiting === 0) this.#emptied();
  }

  #emptied(): void {
    const callback = this.#whenEmpty;
    this.#whenEmpty = undefined;
    callback?.();
  }

  #write(text: string): void {
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(this.#uncork);
    }
    this.#webSocket.send(text);
  }

  readonly #uncork = (): void => {
    this.#corked = false;
    this.#socket.uncork();
  };
}
