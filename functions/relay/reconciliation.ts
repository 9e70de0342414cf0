import { TooManyIds } from '../database/ids.ts';
import type { Filter } from '../nostr/filter.ts';
import { ItemsBuilder } from '../nostr/negentropy/builder.ts';
import { hexOf, type Items } from '../nostr/negentropy/items.ts';
import { respond } from '../nostr/negentropy/reconcile.ts';
import type { Engine } from './engine-types.ts';
import type { ReconciliationDesk } from './reconciliation-desk.ts';

/** What bounds one session. */
export interface SessionLimits {
  /** Events that the filter may match. */
  readonly itemsMax: number;
  /** Bytes of one answer before it is written in hex. */
  readonly frameBytesMax: number;
  /** How long gathering the set may take, waiting included. */
  readonly gatherMs: number;
}

/** Where a session's answers go. */
export interface Correspondent {
  answer(hex: string): void;
  /** The session has ended; `itemsMax` where its filter matches more than that. */
  failed(reason: string, itemsMax?: number): void;
}

/** What a session stands on. */
export interface SessionParts {
  readonly engine: Engine;
  readonly desk: ReconciliationDesk;
  readonly limits: SessionLimits;
  /** Milliseconds of a clock that never steps back. */
  readonly monotonicMs: () => number;
  /** Hears of a database that failed. */
  readonly onError: (error: unknown) => void;
}

/** Work of this long is done in one go, then others have their turn. */
const SLICE_MS = 5;

const CLOSED = new Error('the session was closed');
const NO_ROOM = new Error('no room for more items');

/**
 * One negentropy session (NIP-77): the set that a filter matched when it was opened, and the
 * answers from it. It never throws; whatever goes wrong ends it with a reason.
 */
export class Reconciliation {
  readonly #parts: SessionParts;
  readonly #correspondent: Correspondent;
  readonly #abort = new AbortController();
  #items: Items | undefined;
  /** Items that the desk counts for this session. */
  #taken = 0;
  #busy = true;
  #over = false;
  /** When the client was last answered: from then on it is its turn. */
  #answeredAtMs = 0;

  /** @param message the client's first, decoded. */
  constructor(
    filter: Filter,
    message: Uint8Array,
    correspondent: Correspondent,
    parts: SessionParts,
  ) {
    this.#parts = parts;
    this.#correspondent = correspondent;
    void this.#begin(filter, message);
  }

  /** How long the client has had the word; 0 while it has not. */
  silentMs(nowMs: number): number {
    return this.#busy ? 0 : nowMs - this.#answeredAtMs;
  }

  /** Answers a message of the client. */
  hear(message: Uint8Array): void {
    if (this.#busy) {
      this.#fail('invalid: NEG-MSG came before the answer to the last message');
      return;
    }
    this.#busy = true;
    this.#answer(message).catch((error: unknown) => this.#failed(error));
  }

  /** Ends it without a word; a running query is cancelled. */
  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#abort.abort(CLOSED);
    this.#release();
  }

  async #begin(filter: Filter, message: Uint8Array): Promise<void> {
    const { desk, limits } = this.#parts;
    const deadline = setTimeout(() => {
      this.#fail(`error: gathering the events took longer than ${limits.gatherMs} ms`);
    }, limits.gatherMs);
    try {
      const items = await desk.gather(() => this.#gather(filter), this.#abort.signal);
      if (this.#over) return;
      this.#items = items;
      await this.#answer(message);
    } catch (error) {
      this.#failed(error);
    } finally {
      clearTimeout(deadline);
    }
  }

  async #gather(filter: Filter): Promise<Items> {
    const { engine, desk, limits } = this.#parts;
    const { signal } = this.#abort;
    const builder = new ItemsBuilder();
    for await (const page of engine.list(filter, { idsMax: limits.itemsMax, signal })) {
      signal.throwIfAborted();
      if (builder.size + page.length > limits.itemsMax) throw new TooManyIds(limits.itemsMax);
      if (!desk.take(page.length)) throw NO_ROOM;
      this.#taken += page.length;
      for (const { createdAt, id } of page) builder.add(createdAt, id);
    }
    const items = await this.#seal(builder);
    const newest = filter.limit === undefined ? items : items.newest(filter.limit);
    if (!this.#over) {
      desk.give(this.#taken - newest.size);
      this.#taken = newest.size;
    }
    return newest;
  }

  async #seal(builder: ItemsBuilder): Promise<Items> {
    const { desk, monotonicMs } = this.#parts;
    const steps = builder.sealing();
    let sinceMs = monotonicMs();
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      if (monotonicMs() - sinceMs < SLICE_MS) continue;
      await desk.turn();
      this.#abort.signal.throwIfAborted();
      sinceMs = monotonicMs();
    }
  }

  async #answer(message: Uint8Array): Promise<void> {
    const { desk, limits, monotonicMs } = this.#parts;
    await desk.turn();
    if (this.#over || this.#items === undefined) return;
    const answer = respond(this.#items, message, limits.frameBytesMax);
    if (!answer.ok) {
      this.#fail(`invalid: ${answer.reason}`);
      return;
    }
    this.#busy = false;
    this.#answeredAtMs = monotonicMs();
    this.#correspondent.answer(hexOf(answer.value));
  }

  #failed(error: unknown): void {
    if (this.#over) return;
    if (error instanceof TooManyIds) {
      const reason = `blocked: more than ${error.idsMax} events match, please narrow the filter`;
      this.#fail(reason, error.idsMax);
    } else if (error === NO_ROOM) {
      this.#fail('error: all sessions together hold as many events as may be, please try later');
    } else {
      this.#parts.onError(error);
      this.#fail('error: could not reach the database, please try again');
    }
  }

  #fail(reason: string, itemsMax?: number): void {
    if (this.#over) return;
    this.close();
    this.#correspondent.failed(reason, itemsMax);
  }

  #release(): void {
    this.#parts.desk.give(this.#taken);
    this.#taken = 0;
    this.#items = undefined;
  }
}
