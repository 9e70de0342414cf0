import type { Commits } from './commits.ts';
import type { Due } from './deadlines.ts';
import { limits } from './limits.ts';
import type { Message } from './message.ts';
import type { Storage } from './storage.ts';

/** One message in one subscription, from its loading until it is acknowledged. */
export interface Entry extends Due {
  readonly id: number;
  readonly bytes: number;
  /** Absent while it can be read from disk again: a leased or delayed message of a durable topic. */
  message: Message | undefined;
  /** Deliveries so far. */
  attempts: number;
  /** `delayed` waits for its backoff, or for its way to the dead letter topic. */
  state: 'ready' | 'leased' | 'delayed' | 'done';
}

export interface BacklogOptions {
  /** The subscription's number in storage. */
  readonly subscription: number;
  /** Where the backlog stands, or where what does not fit into memory goes. */
  readonly storage: Storage;
  /** Present if every message is on disk until it is acknowledged. */
  readonly commits: Commits | undefined;
}

/**
 * What a subscription still has to deliver, oldest first. A bounded window of it is in memory; the
 * rest is on disk and follows when the window is empty. With `commits` every message is on disk
 * before it comes here, and its payload leaves memory when it is handed out. Without, only what
 * finds no room in the window goes to disk, and leaves it when it is loaded.
 */
export class Backlog {
  readonly #subscription: number;
  readonly #storage: Storage;
  readonly #commits: Commits | undefined;
  readonly #entries = new Map<number, Entry>();
  #ready: Entry[] = [];
  #head = 0;
  #windowBytes = 0;
  /** Every message up to this id is or was in memory. */
  #cursor = 0;
  /** Disk holds messages after the cursor. */
  #behind: boolean;

  constructor({ subscription, storage, commits }: BacklogOptions) {
    this.#subscription = subscription;
    this.#storage = storage;
    this.#commits = commits;
    this.#behind = commits !== undefined;
  }

  /** Takes new messages, in the order of their ids. */
  offer(messages: readonly Message[]): void {
    const overflow: Message[] = [];
    for (const message of messages) {
      // A load that ran between commit and offer already has it.
      if (message.id <= this.#cursor) continue;
      this.#behind ||= this.#isFull();
      if (this.#behind) overflow.push(message);
      else this.#take(message, 0);
    }
    if (overflow.length === 0 || this.#commits !== undefined) return;
    this.#storage.transaction(() => {
      for (const message of overflow) this.#storage.append(this.#subscription, message);
    });
  }

  /** The next entry to deliver, with its message; `undefined` if none is ready. */
  next(): { readonly entry: Entry; readonly message: Message } | undefined {
    for (;;) {
      const entry = this.#shift();
      if (entry === undefined) return undefined;
      const message = this.payload(entry);
      if (message === undefined) {
        this.finish(entry);
        continue;
      }
      entry.state = 'leased';
      if (this.#commits !== undefined) entry.message = undefined;
      return { entry, message };
    }
  }

  /** Makes an entry ready again, behind those that are. */
  putBack(entry: Entry): void {
    entry.state = 'ready';
    if (entry.message !== undefined) this.#windowBytes += entry.bytes;
    this.#ready.push(entry);
  }

  find(id: number): Entry | undefined {
    return this.#entries.get(id);
  }

  /** The entry's message, from disk if need be; `undefined` if it is nowhere. */
  payload(entry: Entry): Message | undefined {
    return entry.message ?? this.#storage.read(this.#subscription, entry.id);
  }

  /** Forgets an entry for good, in memory and on disk. */
  finish(entry: Entry): void {
    if (entry.state === 'ready' && entry.message !== undefined) this.#windowBytes -= entry.bytes;
    entry.state = 'done';
    entry.message = undefined;
    this.#entries.delete(entry.id);
    this.#commits?.remove(this.#subscription, entry.id);
  }

  /** Acknowledges what is on disk and not in memory: an acknowledgement from before a restart. */
  finishUnseen(id: number): void {
    this.#commits?.remove(this.#subscription, id);
  }

  noteAttempts(entry: Entry): void {
    this.#commits?.setAttempts(this.#subscription, entry.id, entry.attempts);
  }

  /** Removes messages below the id: all that are ready, and a bounded number on disk. */
  dropBelow(id: number): void {
    for (const entry of this.#entries.values()) {
      if (entry.id < id && entry.state === 'ready') this.finish(entry);
    }
    this.#storage.removeBelow(this.#subscription, id, limits.deletionRowsMax);
  }

  /** Removes everything on disk, a bounded number of rows in each turn of the event loop. */
  removeAll(): void {
    this.#entries.clear();
    this.#ready = [];
    this.#head = 0;
    this.#behind = false;
    removeBacklog(this.#storage, this.#subscription);
  }

  #isFull(): boolean {
    return (
      this.#ready.length - this.#head >= limits.windowMessagesMax ||
      this.#windowBytes >= limits.windowBytesMax
    );
  }

  #take(message: Message, attempts: number): void {
    const { id, bytes } = message;
    const entry: Entry = { id, bytes, message, attempts, state: 'ready', dueAt: 0 };
    this.#entries.set(id, entry);
    this.#ready.push(entry);
    this.#windowBytes += bytes;
    this.#cursor = id;
  }

  #shift(): Entry | undefined {
    for (;;) {
      if (this.#head === this.#ready.length) {
        this.#ready = [];
        this.#head = 0;
        if (!this.#behind) return undefined;
        this.#load();
        if (this.#ready.length === 0) return undefined;
      }
      const entry = this.#ready[this.#head];
      this.#head += 1;
      // The array in front of the head goes when it is the larger part: shift() would be linear.
      if (this.#head > limits.windowMessagesMax && this.#head * 2 > this.#ready.length) {
        this.#ready = this.#ready.slice(this.#head);
        this.#head = 0;
      }
      if (entry?.state !== 'ready') continue;
      if (entry.message !== undefined) this.#windowBytes -= entry.bytes;
      return entry;
    }
  }

  #load(): void {
    // What was acknowledged must not come back from disk.
    this.#commits?.flush();
    const { messages, more } = this.#storage.load(this.#subscription, this.#cursor, {
      messagesMax: limits.windowMessagesMax,
      bytesMax: limits.windowBytesMax,
    });
    this.#behind = more;
    for (const { message, attempts } of messages) this.#take(message, attempts);
    if (this.#commits !== undefined || messages.length === 0) return;
    this.#storage.removeBelow(this.#subscription, this.#cursor + 1, messages.length);
  }
}

/** Deletes all rows of a backlog in turns, so that a million of them stop nobody. */
export function removeBacklog(storage: Storage, subscription: number): void {
  const turn = () => {
    if (!storage.isOpen) return;
    const removed = storage.removeBelow(
      subscription,
      Number.MAX_SAFE_INTEGER,
      limits.deletionRowsMax,
    );
    if (removed === limits.deletionRowsMax) setImmediate(turn);
  };
  setImmediate(turn);
}
