import type { Socket } from 'node:net';
import type { RawData, WebSocket } from 'ws';
import type { Journey } from '../cloud/journey.ts';
import type { Log } from '../cloud/log.ts';
import type { Trace } from '../cloud/trace.ts';
import {
  type ClientMessage,
  type Fault,
  faultMessage,
  faultOfEvent,
  faultOfOversize,
  noticeMessage,
  parseClientMessage,
} from '../nostr/messages.ts';
import type { Admission } from './admission.ts';
import type { Engine } from './engine-types.ts';
import type { EventMeter } from './event-meter.ts';
import { Liveness, type LivenessLimits } from './liveness.ts';
import { Outbox, type OutboxLimits, type SendBudget } from './outbox.ts';
import { Publications } from './publications.ts';
import type { Rates } from './rates.ts';
import type { ReconciliationDesk } from './reconciliation-desk.ts';
import { type ReconciliationLimits, Reconciliations } from './reconciliations.ts';
import { Requests } from './requests.ts';
import type { Terms } from './terms.ts';
import type { EndCause, TrafficMeter } from './traffic-meter.ts';
import { within } from './within.ts';

/** What bounds one connection. */
export interface ConnectionLimits {
  readonly messageBytesMax: number;
  readonly eventsInFlightMax: number;
  readonly outbox: OutboxLimits;
  /** Absent where negentropy is off. */
  readonly negentropy: ReconciliationLimits | undefined;
  readonly liveness: LivenessLimits;
}

/** What all connections of a process share. */
export interface ConnectionParts {
  readonly engine: Engine;
  readonly admission: Admission;
  /** Absent where rates are not limited. */
  readonly rates: Rates | undefined;
  readonly budget: SendBudget;
  readonly desk: ReconciliationDesk;
  readonly limits: ConnectionLimits;
  readonly terms: Terms;
  readonly events: EventMeter;
  readonly traffic: TrafficMeter;
  readonly journey: Journey;
  readonly log: Log;
  /** Milliseconds of a clock that never steps back. */
  readonly monotonicMs: () => number;
}

/** Who is at the other end. */
export interface Client {
  /** Names the connection in logs and traces. */
  readonly connectionId: string;
  /** Whose allowance is used, see visitor.ts. */
  readonly address: string;
  /** That of the request which opened the connection, where it brought one. */
  readonly trace?: Trace;
}

/**
 * Close codes of RFC 6455. Clients come back after 1001 as after a broken line; some libraries take
 * 1000 for wished, NIP-01 once had 4000 for "do not come back", and 1012 asks for a wait of seconds.
 */
const GOING_AWAY = 1001;
const POLICY_VIOLATION = 1008;

const NO_COUNT = 'unsupported: COUNT (NIP-45) is not offered here';
const NO_AUTH = 'error: authentication (NIP-42) is not offered here';
const NO_NEGENTROPY = 'unsupported: negentropy (NIP-77) is not offered here';

/** How long a client may take to answer a close frame before its socket is destroyed. */
const CLOSE_TIMEOUT_MS = 2_000;

/**
 * Messages of one client before the others have their turn. Without a pause Node reads up to 2 MiB
 * of one socket in a row: with a flood of short messages that is seconds in which nobody else is
 * answered.
 */
const MESSAGES_PER_TURN = 64;

/**
 * Answers to pings that may wait for the socket. Many pings at once are no sign of life but a way to
 * have us write without end; ws has such a bound of its own, at which it drops the line without a
 * close frame or an error, so that neither side could tell why.
 */
const PONGS_WAITING_MAX = 64;

/** How much of either end of an oversize message is searched for the id to answer. */
const SCANNED_BYTES = 500;

/** One client's connection: its messages, its subscriptions, what waits for it, its end. */
export class Connection {
  readonly client: Client;
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  readonly #parts: ConnectionParts;
  readonly #outbox: Outbox;
  readonly #requests: Requests;
  readonly #reconciliations: Reconciliations | undefined;
  readonly #liveness: Liveness;
  readonly #publications: Publications;
  readonly #countBytes: () => void;
  /** When the message came that is looked at now. */
  #receivedMs = 0;
  #endedBy: EndCause | undefined;
  #messagesInTurn = 0;
  #pongsWaiting = 0;
  /** Not read for a moment, so that others have their turn. */
  #resting = false;
  #finishing: string | undefined;
  #destroyAtMs = Number.POSITIVE_INFINITY;

  constructor(webSocket: WebSocket, socket: Socket, client: Client, parts: ConnectionParts) {
    const { engine, limits, terms, budget, desk, monotonicMs, log } = parts;
    this.client = client;
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.#parts = parts;
    this.#outbox = new Outbox(webSocket, socket, limits.outbox, budget, () => this.#tooSlow());
    this.#requests = new Requests(engine, this.#outbox, () => terms.now.requests, client);
    const outbox = this.#outbox;
    this.#reconciliations =
      limits.negentropy &&
      new Reconciliations({ engine, outbox, desk, limits: limits.negentropy, monotonicMs, log });
    this.#liveness = new Liveness(limits.liveness, monotonicMs());
    this.#publications = new Publications(parts, client, outbox, {
      full: () => webSocket.pause(),
      room: () => this.#readOn(),
    });
    this.#countBytes = parts.traffic.follow(socket);
    parts.traffic.came('opened').add();
    webSocket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    webSocket.on('ping', (data) => this.#pong(data));
    webSocket.on('pong', () => this.#liveness.heard(monotonicMs(), false));
    webSocket.on('error', (error) => {
      this.#endedBy ??= 'protocol';
      parts.log.debug('client broke the protocol', { ...client, error });
    });
    webSocket.on('close', () => this.#closed());
  }

  /** To be called every second or so: pings, and ends what is dead, idle or too old. */
  tick(nowMs: number): void {
    this.#countBytes();
    if (nowMs >= this.#destroyAtMs) this.#webSocket.terminate();
    if (this.#finishing !== undefined) return;
    this.#reconciliations?.tick(nowMs);
    const sessions = this.#reconciliations?.count ?? 0;
    const busy = this.#requests.count > 0 || sessions > 0 || this.#publications.count > 0;
    const paused = this.#webSocket.isPaused;
    const quiet = () =>
      this.#publications.count === 0 &&
      sessions === 0 &&
      this.#requests.settled &&
      this.#outbox.waiting === 0;
    switch (this.#liveness.tick(nowMs, this.#socket.bytesRead, { busy, paused, quiet })) {
      case 'ping':
        this.#webSocket.ping();
        return;
      case 'dead':
        this.#endedBy ??= 'dead';
        this.#parts.log.info('client does not answer', { ...this.client });
        this.#webSocket.terminate();
        return;
      case 'idle':
        void this.finish('idle', 'no subscription and no message for a while', CLOSE_TIMEOUT_MS);
        return;
      case 'old':
        void this.finish(
          'age',
          'this connection has lasted long enough, please open another',
          5_000,
        );
        return;
      case 'well':
    }
  }

  /**
   * Ends the connection politely: no more is read, EVENTs under way get their OK, subscriptions
   * their CLOSED. Resolves when the close frame is on its way, after `timeoutMs` at the latest.
   */
  async finish(cause: EndCause, why: string, timeoutMs: number): Promise<void> {
    if (this.#finishing !== undefined) return;
    this.#finishing = why;
    this.#endedBy ??= cause;
    this.#webSocket.pause();
    // Both waits share the time: whoever stops counts on it.
    const endMs = this.#parts.monotonicMs() + timeoutMs;
    await within(timeoutMs, (done) => this.#publications.whenAnswered(done));
    this.#requests.closeAll(`error: ${why}`);
    this.#reconciliations?.closeAll(`closed: ${why}`);
    this.#outbox.send(noticeMessage(`closing: ${why}`));
    const leftMs = Math.max(0, endMs - this.#parts.monotonicMs());
    await within(leftMs, (done) => this.#outbox.whenEmpty(done));
    this.#close(GOING_AWAY, why);
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#webSocket.terminate();
  }

  #receive(data: RawData, isBinary: boolean): void {
    // What still comes in after our close frame has nobody to be answered to.
    if (this.#webSocket.readyState !== this.#webSocket.OPEN) return;
    this.#takeTurns();
    this.#receivedMs = this.#parts.monotonicMs();
    this.#liveness.heard(this.#receivedMs, true);
    try {
      this.#handle(data as Buffer, isBinary);
    } catch (error) {
      // A fault of ours: it must not end the process, and with it everybody's connection.
      this.#parts.log.fault('a message could not be handled', { ...this.client, error });
      this.#outbox.send(noticeMessage('error: the relay failed on this message'));
    }
  }

  #takeTurns(): void {
    this.#messagesInTurn += 1;
    if (this.#messagesInTurn < MESSAGES_PER_TURN || this.#resting) return;
    this.#resting = true;
    this.#webSocket.pause();
    setImmediate(() => {
      this.#resting = false;
      this.#messagesInTurn = 0;
      this.#readOn();
    });
  }

  #readOn(): void {
    if (this.#resting || this.#publications.full || this.#finishing !== undefined) return;
    if (this.#webSocket.isPaused) this.#webSocket.resume();
  }

  #handle(data: Buffer, isBinary: boolean): void {
    if (isBinary) {
      this.#refuse({ answer: 'NOTICE', message: 'invalid: binary message, JSON text is expected' });
      return;
    }
    const { messageBytesMax } = this.#parts.limits;
    if (data.length > messageBytesMax) {
      this.#misread(faultOfOversize(endsOf(data), data.length, messageBytesMax));
      return;
    }
    const parsed = parseClientMessage(data.toString());
    if (parsed.ok) this.#dispatch(parsed.value);
    else this.#misread(parsed.reason);
  }

  /** A message that could not be read. Where OK answers it, it was an EVENT. */
  #misread(fault: Fault): void {
    const said = this.#refuse(fault);
    if (fault.answer === 'OK') this.#publications.unread(said, this.#receivedMs);
  }

  #dispatch(message: ClientMessage): void {
    switch (message.type) {
      case 'EVENT':
        this.#event(message.event);
        break;
      case 'REQ':
        this.#request(message.id, message.filters);
        break;
      case 'CLOSE':
        this.#requests.close(message.id);
        break;
      case 'COUNT':
        this.#refuse({ answer: 'CLOSED', id: message.id, message: NO_COUNT });
        break;
      case 'AUTH':
        this.#refuse(faultOfEvent(message.event, NO_AUTH));
        break;
      case 'NEG-OPEN':
      case 'NEG-MSG':
        this.#negentropy(message);
        break;
      case 'NEG-CLOSE':
        this.#reconciliations?.close(message.id);
    }
  }

  #event(given: unknown): void {
    if (this.#finishing === undefined) {
      this.#publications.take(given, this.#receivedMs);
    } else {
      const fault = faultOfEvent(given, `error: ${this.#finishing}`);
      this.#publications.tooLate(fault, given, this.#receivedMs);
    }
  }

  #request(id: string, filters: readonly unknown[]): void {
    if (this.#finishing !== undefined) {
      this.#requests.refuse(id, `error: ${this.#finishing}`);
      return;
    }
    const hasty = this.#parts.rates?.request(this.client.address);
    if (hasty === undefined) this.#requests.open(id, filters);
    else this.#requests.refuse(id, hasty);
  }

  #negentropy(message: ClientMessage & { readonly type: 'NEG-OPEN' | 'NEG-MSG' }): void {
    const { id } = message;
    if (this.#reconciliations === undefined) {
      this.#refuse({ answer: 'NEG-ERR', id, message: NO_NEGENTROPY });
      return;
    }
    const hasty = this.#parts.rates?.request(this.client.address);
    if (this.#finishing !== undefined) {
      this.#reconciliations.refuse(id, `closed: ${this.#finishing}`);
    } else if (hasty !== undefined) {
      this.#reconciliations.refuse(id, hasty);
    } else if (message.type === 'NEG-OPEN') {
      this.#reconciliations.open(id, message.filter, message.message);
    } else {
      this.#reconciliations.hear(id, message.message);
    }
  }

  /**
   * Answers what is not understood or not offered; that has its rate as requests have.
   * @returns what was said.
   */
  #refuse(fault: Fault): string {
    const hasty = this.#parts.rates?.request(this.client.address);
    this.#answer(hasty === undefined ? fault : { ...fault, message: hasty });
    return hasty ?? fault.message;
  }

  #answer(fault: Fault): void {
    // The client takes what it named for ended, so it is.
    if (fault.answer === 'NEG-ERR') this.#reconciliations?.close(fault.id);
    if (fault.answer === 'CLOSED') this.#requests.refuse(fault.id, fault.message);
    else this.#outbox.send(faultMessage(fault));
  }

  #pong(data: Buffer): void {
    if (this.#webSocket.readyState !== this.#webSocket.OPEN) return;
    if (this.#pongsWaiting >= PONGS_WAITING_MAX) {
      this.#parts.log.debug('client floods us with pings and is closed', { ...this.client });
      this.#giveUp('protocol', 'too many pings at once');
      return;
    }
    this.#pongsWaiting += 1;
    this.#webSocket.pong(data, false, () => {
      this.#pongsWaiting -= 1;
    });
  }

  #tooSlow(): void {
    this.#parts.log.warning('client reads too slowly and is closed', {
      ...this.client,
      subscriptions: this.#requests.count,
    });
    this.#giveUp('slow', 'too much waits unread');
  }

  /** Ends the connection without waiting for what is under way. */
  #giveUp(cause: EndCause, why: string): void {
    this.#finishing = why;
    this.#endedBy ??= cause;
    this.#requests.closeAll();
    this.#reconciliations?.closeAll();
    this.#outbox.close();
    this.#close(POLICY_VIOLATION, why);
  }

  #close(code: number, reason: string): void {
    this.#destroyAtMs = this.#parts.monotonicMs() + CLOSE_TIMEOUT_MS;
    this.#webSocket.close(code, reason);
    // Only a socket that is read can see the client's own close frame.
    this.#webSocket.resume();
  }

  #closed(): void {
    this.#finishing ??= 'the connection is closed';
    this.#countBytes();
    this.#parts.traffic.ended(this.#endedBy ?? 'client').add();
    this.#requests.closeAll();
    this.#reconciliations?.closeAll();
    this.#outbox.close();
    this.#publications.close();
  }
}

/** Both ends of a message: the verb stands first, and an event's id often last. */
function endsOf(data: Buffer): string {
  return `${data.toString('utf8', 0, SCANNED_BYTES)} ${data.toString('utf8', data.length - SCANNED_BYTES)}`;
}
