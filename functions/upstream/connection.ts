import type { Socket } from 'node:net';
import { type RawData, WebSocket } from 'ws';
import { eventText, type NostrEvent } from '../nostr/event.ts';
import type { Filter } from '../nostr/filter.ts';
import { loadVerifier, type Verifier } from '../nostr/verify.ts';
import { parseRelayAddress } from './address.ts';
import { Authentication } from './authentication.ts';
import { type Clock, systemClock } from './clock.ts';
import type { ConnectOptions, Fault } from './connect-options.ts';
import { reasonOf, UpstreamFailure } from './failure.ts';
import { Heartbeat, seconds } from './heartbeat.ts';
import { DEFAULT_LIMITS, type UpstreamLimits } from './limits.ts';
import { parseRelayMessage, type RelayMessage, requestText } from './messages.ts';
import { NegentropyChannel } from './negentropy-channel.ts';
import { type OpenSocket, openSocket } from './open-socket.ts';
import { PublishLedger, type PublishResult } from './publish-ledger.ts';
import { QuietTimers } from './quiet-timers.ts';
import { Sender } from './sender.ts';
import { type Subscription, SubscriptionBuffer } from './subscription.ts';

export type { ConnectOptions, Fault } from './connect-options.ts';

/**
 * Opens a connection to a relay. Throws an `UpstreamFailure` (`unreachable`, `forbidden` where the
 * guard says so, or `closed` when the signal came) where none comes to be.
 */
export async function connect(address: string, options: ConnectOptions = {}): Promise<Connection> {
  const url = parseRelayAddress(address);
  if (!url.ok) throw new UpstreamFailure('unreachable', url.reason);
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const clock = options.clock ?? systemClock;
  const verifier =
    options.verifier === 'none' ? undefined : (options.verifier ?? (await fastestVerifier()));
  const open = await openSocket(url.value, limits, clock, options);
  return new Connection(url.value.href, open, limits, clock, verifier, options);
}

let verifierLoaded: Promise<Verifier> | undefined;

/** Loaded once a process: it costs a few milliseconds and holds tables. */
function fastestVerifier(): Promise<Verifier> {
  verifierLoaded ??= loadVerifier();
  return verifierLoaded;
}

/**
 * An open connection to one relay, which is believed nothing: what it sends is bounded, checked
 * and, where it is wrong, dropped and counted. A full buffer stops reading from the socket, so a
 * slow reader slows the relay and not our memory; it also holds up the other subscriptions and
 * OKs of this connection, so a reader must not wait in its loop for an OK of the same connection.
 */
export class Connection {
  /** How the connection ended; never rejects. */
  readonly closed: Promise<UpstreamFailure>;
  /** Which of its instances the relay says that this is; undefined where it says nothing. */
  readonly instance: string | undefined;
  readonly #socket: WebSocket;
  readonly #carrier: Socket;
  readonly #authentication: Authentication;
  readonly #limits: UpstreamLimits;
  readonly #clock: Clock;
  readonly #verifier: Verifier | undefined;
  readonly #options: ConnectOptions;
  readonly #ledger: PublishLedger;
  readonly #subscriptions = new Map<string, SubscriptionBuffer>();
  readonly #noticeListeners = new Set<(message: string) => void>();
  readonly #channels = new Map<string, NegentropyChannel>();
  #channelsMade = 0;
  readonly #sender: Sender;
  readonly #quiet: QuietTimers;
  readonly #heartbeat: Heartbeat;
  #subscriptionsMade = 0;
  #bufferedItems = 0;
  #bufferedBytes = 0;
  #faults = 0;
  #messageBytes = 0;
  #end: UpstreamFailure | undefined;
  #announceEnd: (failure: UpstreamFailure) => void = () => {};

  /** Use `connect`. */
  constructor(
    address: string,
    { socket, carrier, instance }: OpenSocket,
    limits: UpstreamLimits,
    clock: Clock,
    verifier: Verifier | undefined,
    options: ConnectOptions,
  ) {
    this.#socket = socket;
    this.#carrier = carrier;
    this.instance = instance;
    this.#limits = limits;
    this.#clock = clock;
    this.#verifier = verifier;
    this.#options = options;
    this.#sender = new Sender(socket, limits.sendBytesMax);
    this.#ledger = new PublishLedger(clock);
    this.#quiet = new QuietTimers(
      clock,
      limits.quietTimeoutMs,
      () => socket.isPaused,
      (id) => this.#tooQuiet(id),
    );
    this.#authentication = new Authentication(address, options.auth, clock);
    this.closed = new Promise((resolve) => {
      this.#announceEnd = resolve;
    });
    socket.on('message', (data, isBinary) => this.#onMessage(data, isBinary));
    socket.on('ping', () => this.#heard());
    socket.on('pong', () => this.#heard());
    socket.on('error', (error) =>
      this.#finish(new UpstreamFailure('lost', reasonOf(error), error)),
    );
    socket.on('close', (code, reason) => this.#onClose(code, reason.toString()));
    this.#heartbeat = new Heartbeat(socket, limits, clock, (failure) => this.#finish(failure));
    // openSocket paused it, so that nothing is said before somebody listens.
    socket.resume();
  }

  /** Why the connection is of no use any more; undefined while it stands. */
  get failure(): UpstreamFailure | undefined {
    return this.#end;
  }

  /** Things dropped so far because the relay must not have sent them. */
  get faults(): number {
    return this.#faults;
  }

  /** Bytes that came over the wire, compressed where the relay compresses. */
  get bytesReceived(): number {
    return this.#carrier.bytesRead;
  }

  get bytesSent(): number {
    return this.#carrier.bytesWritten;
  }

  /** Bytes of the relay's messages as they were in memory. */
  get messageBytesReceived(): number {
    return this.#messageBytes;
  }

  /** True while full buffers keep us from reading. */
  get paused(): boolean {
    return this.#socket.isPaused;
  }

  /**
   * When the relay was last heard, on the connection's clock: all that it sent before that
   * has reached us.
   */
  get heardAtMs(): number {
    return this.#heartbeat.heardAtMs;
  }

  /**
   * Sends an event and waits for its OK, at most `publishTimeoutMs`. Rejects with an
   * `UpstreamFailure` where no answer came; the relay may have taken the event all the same.
   */
  async publish(event: NostrEvent): Promise<PublishResult> {
    const text = `["EVENT",${eventText(event)}]`;
    while (!this.#sender.hasRoom(text.length)) await this.#sender.change();
    if (this.#end !== undefined) throw this.#end;
    const answer = this.#ledger.expect(event.id, this.#limits.publishTimeoutMs);
    this.#sender.send(text);
    return answer;
  }

  /**
   * Answers the relay's challenge (NIP-42), once for each challenge. After an accepted answer what
   * was refused with `auth-required:` is worth trying again. Rejects with an `UpstreamFailure`:
   * `refused` where there is no key to sign with, `timeout` where no challenge or no OK came.
   * @param challengeTimeoutMs how long to wait for a challenge that has not come yet.
   */
  async authenticate(challengeTimeoutMs = this.#limits.publishTimeoutMs): Promise<PublishResult> {
    if (this.#end !== undefined) throw this.#end;
    const { publishTimeoutMs } = this.#limits;
    return this.#authentication.answer(challengeTimeoutMs, (event) => {
      if (this.#end !== undefined) throw this.#end;
      const answer = this.#ledger.expect(event.id, publishTimeoutMs);
      this.#sender.send(`["AUTH",${eventText(event)}]`);
      return answer;
    });
  }

  /** Calls the listener with each notice from now on; the result ends that. */
  watchNotices(listener: (message: string) => void): () => void {
    this.#noticeListeners.add(listener);
    return () => this.#noticeListeners.delete(listener);
  }

  /** Asks for events, stored and live. Throws where the connection has ended. */
  subscribe(filters: readonly Filter[]): Subscription {
    if (this.#end !== undefined) throw this.#end;
    if (this.#subscriptions.size >= this.#limits.subscriptionsMax) {
      throw new RangeError(`more than ${this.#limits.subscriptionsMax} subscriptions`);
    }
    this.#subscriptionsMade += 1;
    const id = `s${this.#subscriptionsMade}`;
    const host = {
      buffered: (items: number, bytes: number) => this.#onBuffered(items, bytes),
      release: () => this.#release(id),
    };
    const { eventBytesMax } = this.#limits;
    const buffer = new SubscriptionBuffer(id, filters, host, this.#verifier, eventBytesMax);
    this.#subscriptions.set(id, buffer);
    this.#quiet.arm(buffer.id);
    this.#sender.send(requestText(id, filters));
    return buffer;
  }

  /** Begins a negentropy session, see reconcile.ts. Throws where the connection has ended. */
  openNegentropy(): NegentropyChannel {
    if (this.#end !== undefined) throw this.#end;
    this.#channelsMade += 1;
    const send = (text: string) => {
      if (this.#end !== undefined) throw this.#end;
      this.#sender.send(text);
    };
    const release = (id: string) => {
      this.#channels.delete(id);
      if (this.#end === undefined) this.#sender.send(JSON.stringify(['NEG-CLOSE', id]));
    };
    const channel = new NegentropyChannel(`n${this.#channelsMade}`, { send, release }, this.#clock);
    this.#channels.set(channel.id, channel);
    return channel;
  }

  /** Ends the connection politely; resolves when the socket is gone. */
  async close(): Promise<void> {
    this.#finish(new UpstreamFailure('closed', 'closed by us'));
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    const gone = new Promise<void>((resolve) => this.#socket.once('close', () => resolve()));
    const cancel = this.#clock.after(this.#limits.closeTimeoutMs, () => this.#socket.terminate());
    await gone;
    cancel();
  }

  #heard(messageBytes = 0): void {
    this.#heartbeat.heard();
    this.#messageBytes += messageBytes;
    // Pings count on the wire, compressed messages in memory.
    const bytes = Math.max(this.#messageBytes, this.#carrier.bytesRead);
    const { receiveBytesMax } = this.#limits;
    if (bytes <= receiveBytesMax) return;
    this.#finish(
      new UpstreamFailure('misbehaved', `relay sent more than ${receiveBytesMax} bytes`),
    );
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    if (this.#end !== undefined) return;
    this.#heard(Buffer.isBuffer(data) ? data.length : 0);
    if (this.#end !== undefined) return;
    if (isBinary || !Buffer.isBuffer(data)) {
      this.#fault({ reason: 'binary message' });
      return;
    }
    const message = parseRelayMessage(data.toString());
    if (message.ok) this.#onRelayMessage(message.value, data.length);
    else this.#fault({ reason: message.reason });
  }

  #onRelayMessage(message: RelayMessage, bytes: number): void {
    switch (message.type) {
      case 'OK':
        // An OK nobody waits for may be a late one: no fault.
        this.#ledger.answer(message.id, { accepted: message.accepted, message: message.message });
        return;
      case 'NOTICE':
        this.#options.onNotice?.(message.message);
        for (const listener of this.#noticeListeners) listener(message.message);
        for (const channel of this.#channels.values()) channel.hear(message);
        return;
      case 'AUTH':
        this.#authentication.challenged(message.challenge);
        return;
      case 'OTHER':
        return;
      case 'NEG-MSG':
      case 'NEG-ERR': {
        const channel = this.#channels.get(message.session);
        if (channel !== undefined) channel.hear(message);
        else if (!this.#wasOurs(message.session)) {
          this.#fault({ reason: `${message.type} for a session that never was` });
        }
        return;
      }
      default: {
        if (message.type === 'CLOSED') this.#channels.get(message.subscription)?.hear(message);
        const subscription = this.#subscriptions.get(message.subscription);
        if (subscription !== undefined) this.#onItem(subscription, message, bytes);
        else if (!this.#wasOurs(message.subscription)) {
          this.#fault({ reason: `${message.type} for a subscription that never was` });
        }
      }
    }
  }

  #onItem(
    subscription: SubscriptionBuffer,
    message: RelayMessage & { type: 'EVENT' | 'EOSE' | 'CLOSED' },
    bytes: number,
  ): void {
    const { id } = subscription;
    if (message.type === 'EVENT') {
      const taken = subscription.take(message.event, bytes);
      if (!taken.ok) this.#fault({ reason: taken.reason, subscription: id });
      else if (subscription.awaitsEose) this.#quiet.arm(id);
      return;
    }
    this.#quiet.disarm(id);
    if (message.type === 'EOSE') {
      subscription.eose(message.hint);
    } else {
      this.#subscriptions.delete(id);
      subscription.closedByRelay(message.message);
    }
  }

  /** True for ids of subscriptions and sessions that were closed: what was under way may still come. */
  #wasOurs(id: string): boolean {
    const [, sort, number] = /^([sn])([1-9][0-9]{0,14})$/.exec(id) ?? [];
    return Number(number) <= (sort === 'n' ? this.#channelsMade : this.#subscriptionsMade);
  }

  #release(id: string): void {
    this.#quiet.disarm(id);
    if (this.#subscriptions.delete(id) && this.#end === undefined) {
      this.#sender.send(JSON.stringify(['CLOSE', id]));
    }
  }

  #onBuffered(items: number, bytes: number): void {
    this.#bufferedItems += items;
    this.#bufferedBytes += bytes;
    if (this.#end !== undefined) return;
    const { bufferItemsMax, bufferBytesMax } = this.#limits;
    // What one read of the socket brought is still delivered after the pause.
    if (this.#bufferedItems >= bufferItemsMax || this.#bufferedBytes >= bufferBytesMax) {
      this.#socket.pause();
    } else if (
      this.#socket.isPaused &&
      this.#bufferedItems <= bufferItemsMax / 2 &&
      this.#bufferedBytes <= bufferBytesMax / 2
    ) {
      this.#heartbeat.listening();
      this.#socket.resume();
    }
  }

  #tooQuiet(id: string): void {
    const subscription = this.#subscriptions.get(id);
    this.#subscriptions.delete(id);
    this.#sender.send(JSON.stringify(['CLOSE', id]));
    const quiet = seconds(this.#limits.quietTimeoutMs);
    subscription?.fail(new UpstreamFailure('timeout', `no event and no EOSE for ${quiet}`));
  }

  #fault(fault: Fault): void {
    this.#faults += 1;
    this.#options.onFault?.(fault);
    if (this.#faults > this.#limits.faultsMax) {
      const message = `relay sent ${this.#faults} things it must not, last: ${fault.reason}`;
      this.#finish(new UpstreamFailure('misbehaved', message));
    }
  }

  #onClose(code: number, reason: string): void {
    const words = reason === '' ? '' : `: ${reason}`;
    this.#finish(new UpstreamFailure('lost', `relay closed the connection (${code})${words}`));
  }

  /** The single way out: everybody who waits is told, and the socket goes. */
  #finish(failure: UpstreamFailure): void {
    if (this.#end !== undefined) return;
    this.#end = failure;
    this.#heartbeat.stop();
    this.#quiet.clear();
    // A paused socket would never see the other side's close frame.
    if (this.#socket.isPaused) this.#socket.resume();
    if (failure.code === 'closed') this.#socket.close(1000);
    else this.#socket.terminate();
    this.#ledger.fail(failure);
    this.#authentication.fail(failure);
    this.#sender.letGo();
    for (const subscription of this.#subscriptions.values()) subscription.fail(failure);
    this.#subscriptions.clear();
    for (const channel of this.#channels.values()) channel.fail(failure);
    this.#channels.clear();
    this.#announceEnd(failure);
  }
}
