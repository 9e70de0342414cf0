import type { Log } from '../cloud/log.ts';
import { type FilterLimits, parseFilter } from '../nostr/filter.ts';
import { negentropyErrorMessage, negentropyMessage } from '../nostr/messages.ts';
import { parseMessage } from '../nostr/negentropy/message.ts';
import { accept, type Result, refuse } from '../nostr/result.ts';
import type { Engine } from './engine-types.ts';
import type { Outbox } from './outbox.ts';
import { Reconciliation, type SessionLimits } from './reconciliation.ts';
import type { ReconciliationDesk } from './reconciliation-desk.ts';
import { countValues } from './requests.ts';

/** What one connection may ask by negentropy. */
export interface ReconciliationLimits extends SessionLimits {
  /** Sessions that are open at once. */
  readonly sessionsMax: number;
  /** How long a client may keep a session waiting. */
  readonly idleMs: number;
  /** Ids, authors and tag values of a filter. */
  readonly valuesMax: number;
  readonly filter: FilterLimits;
}

/** What the sessions of a connection stand on. */
export interface ReconciliationsParts {
  readonly engine: Engine;
  readonly outbox: Outbox;
  readonly desk: ReconciliationDesk;
  readonly limits: ReconciliationLimits;
  readonly monotonicMs: () => number;
  readonly log: Log;
}

/** The negentropy sessions of one connection, by the ids that the client gave them (NIP-77). */
export class Reconciliations {
  readonly #parts: ReconciliationsParts;
  readonly #running = new Map<string, Reconciliation>();

  constructor(parts: ReconciliationsParts) {
    this.#parts = parts;
  }

  get count(): number {
    return this.#running.size;
  }

  /** NEG-OPEN: begins a session, in place of one that has the same id, or refuses it. */
  open(id: string, givenFilter: unknown, hex: string): void {
    this.close(id);
    const { engine, desk, limits, monotonicMs, log } = this.#parts;
    if (this.#running.size >= limits.sessionsMax) {
      const open = `${limits.sessionsMax} negentropy sessions are open on this connection`;
      this.refuse(id, `blocked: ${open}, no more are allowed; NEG-CLOSE one first`);
      return;
    }
    const filter = parseFilter(soleFilter(givenFilter), limits.filter);
    if (!filter.ok) {
      this.refuse(id, filter.reason);
      return;
    }
    const values = countValues(filter.value);
    if (values > limits.valuesMax) {
      const given = `filter has ${values} ids, authors and tag values`;
      this.refuse(id, `invalid: ${given}, ${limits.valuesMax} are allowed`);
      return;
    }
    const message = decode(hex);
    // Looked at before the set is gathered, which costs much more.
    const sound = message.ok ? parseMessage(message.value) : message;
    if (!message.ok || !sound.ok) {
      this.refuse(id, `invalid: ${sound.ok ? '' : sound.reason}`);
      return;
    }
    const correspondent = {
      answer: (answer: string) => this.#parts.outbox.send(negentropyMessage(id, answer)),
      failed: (reason: string, itemsMax?: number) => this.refuse(id, reason, itemsMax),
    };
    const onError = (error: unknown) => log.warning('negentropy could not list', { error });
    const parts = { engine, desk, limits, monotonicMs, onError };
    this.#running.set(id, new Reconciliation(filter.value, message.value, correspondent, parts));
  }

  /** NEG-MSG: the next message of a session. */
  hear(id: string, hex: string): void {
    const running = this.#running.get(id);
    if (running === undefined) {
      this.refuse(id, 'closed: no session of this id is open');
      return;
    }
    const message = decode(hex);
    if (message.ok) running.hear(message.value);
    else this.refuse(id, `invalid: ${message.reason}`);
  }

  /** NEG-CLOSE: ends a session without a word; an id that names none is no fault. */
  close(id: string): void {
    this.#running.get(id)?.close();
    this.#running.delete(id);
  }

  /** Says NEG-ERR, after which the session is closed (NIP-77). */
  refuse(id: string, reason: string, itemsMax?: number): void {
    this.close(id);
    this.#parts.outbox.send(negentropyErrorMessage(id, reason, itemsMax));
  }

  /** Ends all: with a word to the client, or without. */
  closeAll(reason?: string): void {
    for (const id of [...this.#running.keys()]) {
      if (reason === undefined) this.close(id);
      else this.refuse(id, reason);
    }
  }

  /** Ends those whose client has been silent for too long. */
  tick(nowMs: number): void {
    const { idleMs } = this.#parts.limits;
    for (const [id, running] of this.#running) {
      if (running.silentMs(nowMs) < idleMs) continue;
      this.refuse(id, `closed: no message for ${idleMs / 1_000} s, the session is over`);
    }
  }
}

/** Whole bytes in hex; Node stops at the first character that is none. */
function decode(hex: string): Result<Uint8Array> {
  const bytes = Buffer.from(hex, 'hex');
  return bytes.length * 2 === hex.length ? accept(bytes) : refuse('message is not hex');
}

/** `@nostr-dev-kit/sync` puts its filter into an array, which strfry takes: one alone is meant. */
function soleFilter(given: unknown): unknown {
  return Array.isArray(given) && given.length === 1 ? given[0] : given;
}
