import type { Journey } from '../cloud/journey.ts';
import type { NostrEvent } from '../nostr/event.ts';
import type { Fault } from '../nostr/messages.ts';
import type { Client } from './connection.ts';
import type { Verdict } from './engine-types.ts';

/** What a socket has to say about the journey of its events. */
export class EventSteps {
  readonly #journey: Journey;
  readonly #client: Client;

  constructor(journey: Journey, client: Client) {
    this.#journey = journey;
    this.#client = client;
  }

  /** True for an event of which every step is logged. */
  follows(eventId: string): boolean {
    return this.#journey.follows(eventId);
  }

  /** It was read and all checks let it pass. */
  received({ id, kind }: NostrEvent, text: string): void {
    const bytes = Buffer.byteLength(text);
    this.#journey.step('received', id, { ...this.#connection(), policy: 'passed', kind, bytes });
  }

  /** It was refused at once, by a rule or for what it is. The client gets the same words. */
  refused(fault: Fault): void {
    if (fault.answer !== 'OK') return;
    const { message } = fault;
    const fields = { ...this.#connection(), policy: 'refused', accepted: false, reason: message };
    this.#journey.refusal('received', fault.id.toLowerCase(), fields);
  }

  /** What its client is told. @param tookMs since its message came, where it is followed. */
  answered(id: string, { accepted, message }: Verdict, tookMs: number | undefined): void {
    const fields = { ...this.#connection(), accepted, reason: message, tookMs };
    if (accepted) this.#journey.step('answered', id, fields);
    // What we are to blame for, and what the event's own story is.
    else if (message.startsWith('error:')) this.#journey.failure('answered', id, fields);
    else this.#journey.refusal('answered', id, fields);
  }

  /** The request that opened the connection has a trace of its own, which groups other lines. */
  #connection(): object {
    const { connectionId, trace } = this.#client;
    return { connectionId, ...(trace !== undefined && { connectionTrace: trace.id }) };
  }
}
