import type { Log } from '../cloud/log.ts';
import { traceOfEvent } from '../cloud/trace.ts';
import { type Fault, faultMessage, okMessage } from '../nostr/messages.ts';
import type { Admission, Admitted } from './admission.ts';
import type { Client, ConnectionParts } from './connection.ts';
import type { Engine, Origin, Verdict } from './engine-types.ts';
import type { EventMeter } from './event-meter.ts';
import { type EventOutcome, outcomeOfRefusal } from './event-outcomes.ts';
import { EventSteps } from './event-steps.ts';
import type { Outbox } from './outbox.ts';

type Parts = Pick<
  ConnectionParts,
  'engine' | 'admission' | 'limits' | 'journey' | 'events' | 'log' | 'monotonicMs'
>;

/** Whoever reads the client's messages. */
export interface Reader {
  /** Reading on would only move the queue from the client's memory into ours. */
  full(): void;
  /** Enough is answered that more may come. */
  room(): void;
}

/** The EVENTs of one connection: admission, their way through the engine, their OK. */
export class Publications {
  readonly #engine: Engine;
  readonly #admission: Admission;
  readonly #events: EventMeter;
  readonly #steps: EventSteps;
  readonly #log: Log;
  readonly #monotonicMs: () => number;
  readonly #countMax: number;
  readonly #address: string;
  readonly #outbox: Outbox;
  readonly #reader: Reader;
  #count = 0;
  #full = false;
  #whenAnswered: (() => void) | undefined;

  constructor(parts: Parts, client: Client, outbox: Outbox, reader: Reader) {
    this.#engine = parts.engine;
    this.#admission = parts.admission;
    this.#events = parts.events;
    this.#steps = new EventSteps(parts.journey, client);
    this.#log = parts.log;
    this.#monotonicMs = parts.monotonicMs;
    this.#countMax = parts.limits.eventsInFlightMax;
    this.#address = client.address;
    this.#outbox = outbox;
    this.#reader = reader;
  }

  /** Events that wait for their OK. */
  get count(): number {
    return this.#count;
  }

  /** True from the moment that the reader is told so until it is told that there is room. */
  get full(): boolean {
    return this.#full;
  }

  /** Takes what a client says is an event. @param receivedMs when its message came. */
  take(given: unknown, receivedMs: number): void {
    const admitted = this.#admission.admit(given, this.#address);
    if (admitted.ok) this.#publish(admitted.value, receivedMs);
    else
      this.#refuse(admitted.reason, outcomeOfRefusal(admitted.reason.message), given, receivedMs);
  }

  /** Answers one that comes too late: the connection is about to end. */
  tooLate(fault: Fault, given: unknown, receivedMs: number): void {
    this.#refuse(fault, 'unavailable', given, receivedMs);
  }

  /** One came that could not be read; somebody has answered it with this message. */
  unread(message: string, receivedMs: number): void {
    this.#events.refused(undefined, outcomeOfRefusal(message), this.#monotonicMs() - receivedMs);
  }

  /** Calls back when no event waits for its OK, or none will get one any more. */
  whenAnswered(done: () => void): void {
    if (this.#count === 0) done();
    else this.#whenAnswered = done;
  }

  /** The connection is closed: nobody waits for an OK. */
  close(): void {
    this.#whenAnswered?.();
  }

  #refuse(fault: Fault, outcome: EventOutcome, given: unknown, receivedMs: number): void {
    this.#steps.refused(fault);
    this.#outbox.send(faultMessage(fault));
    this.#events.refused(given, outcome, this.#monotonicMs() - receivedMs);
  }

  #publish({ event, text }: Admitted, receivedMs: number): void {
    this.#count += 1;
    if (this.#count >= this.#countMax) {
      this.#full = true;
      this.#reader.full();
    }
    const { id, kind } = event;
    const trace = traceOfEvent(id);
    const origin: Origin = { trace, source: 'client', keys: [] };
    const followed = this.#steps.follows(id);
    if (followed) this.#steps.received(event, text);
    this.#engine
      .publish(event, text, followed ? { ...origin, followed } : origin)
      .catch((error: unknown): Verdict => {
        this.#log.fault('an event could not be published', { trace, event: id, error });
        const message = 'error: the relay failed on this event';
        return { accepted: false, message, outcome: 'error' };
      })
      .then((verdict) => {
        this.#answer(id, verdict);
        const tookMs = this.#monotonicMs() - receivedMs;
        this.#events.answered(kind, verdict.outcome, tookMs);
        if (followed || !verdict.accepted) {
          this.#steps.answered(id, verdict, followed ? Math.round(tookMs) : undefined);
        }
      })
      .catch((error: unknown) => this.#log.fault('no OK sent', { trace, event: id, error }));
  }

  #answer(id: string, { accepted, message }: Verdict): void {
    this.#outbox.send(okMessage(id, accepted, message));
    this.#count -= 1;
    if (this.#full && this.#count <= this.#countMax / 2) {
      this.#full = false;
      this.#reader.room();
    }
    if (this.#count === 0) this.#whenAnswered?.();
  }
}
