import type { Log } from '../../cloud/log.ts';
import { limits } from './limits.ts';
import type { Message } from './message.ts';
import type { Storage } from './storage.ts';

/** A message that is to stand in a subscription's backlog. */
export interface BacklogRow {
  readonly subscription: number;
  readonly message: Message;
}

interface Append {
  readonly rows: readonly BacklogRow[];
  readonly done: (error?: unknown) => void;
}

interface Change {
  readonly subscription: number;
  readonly id: number;
  /** Delivery attempts so far; absent for a removal. */
  readonly attempts?: number;
}

/**
 * Group commit: all publish requests that arrived in one turn of the event loop share one
 * transaction and so one sync, and those that arrive while the disk is busy share the next.
 * Acknowledgements ride along, or go by themselves a little later: losing one means a redelivery,
 * which at-least-once allows.
 */
export class Commits {
  readonly #storage: Storage;
  readonly #log: Log;
  #appends: Append[] = [];
  #changes: Change[] = [];
  #turn: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(storage: Storage, log: Log) {
    this.#storage = storage;
    this.#log = log;
  }

  /** Calls `done` once the rows are on disk, or with the error that kept them from it. */
  append(rows: readonly BacklogRow[], done: (error?: unknown) => void): void {
    this.#appends.push({ rows, done });
    this.#turn ??= setImmediate(() => this.flush());
  }

  remove(subscription: number, id: number): void {
    this.#change({ subscription, id });
  }

  setAttempts(subscription: number, id: number, attempts: number): void {
    this.#change({ subscription, id, attempts });
  }

  /** Commits at once whatever waits. */
  flush(): void {
    clearImmediate(this.#turn);
    clearTimeout(this.#timer);
    this.#turn = undefined;
    this.#timer = undefined;
    if (this.#appends.length === 0 && this.#changes.length === 0) return;
    const appends = this.#appends;
    const changes = this.#changes;
    this.#appends = [];
    this.#changes = [];
    let failure: unknown;
    try {
      this.#storage.transaction(() => this.#write(appends, changes));
    } catch (error) {
      failure = error;
      this.#log.error('commit failed', { error, appends: appends.length });
      // Nothing of it is on disk. Publishers hear so; acknowledgements try again.
      for (const change of changes) this.#change(change);
    }
    for (const { done } of appends) done(failure);
  }

  #write(appends: readonly Append[], changes: readonly Change[]): void {
    for (const { rows } of appends) {
      for (const { subscription, message } of rows) this.#storage.append(subscription, message);
    }
    for (const { subscription, id, attempts } of changes) {
      if (attempts === undefined) this.#storage.remove(subscription, id);
      else this.#storage.setAttempts(subscription, id, attempts);
    }
  }

  #change(change: Change): void {
    this.#changes.push(change);
    if (this.#changes.length === limits.acknowledgementsPendingMax) {
      this.#turn ??= setImmediate(() => this.flush());
    }
    this.#timer ??= setTimeout(() => this.flush(), limits.acknowledgementDelayMs);
  }
}
