import { Backlog, type BacklogOptions, type Entry } from './backlog.ts';
import { Deadlines } from './deadlines.ts';
import type { SubscriptionDefinition } from './definition.ts';
import { type Filter, parseFilter } from './filter.ts';
import { limits } from './limits.ts';
import { idAtMs, type Message, publishedAtMs } from './message.ts';
import { invalidArgument, type StatusError } from './status.ts';
import { durationMs } from './wire.ts';

/** One message on its way to one consumer. */
export interface Delivery {
  readonly ackId: string;
  readonly message: Message;
  /** 1 for the first. */
  readonly attempt: number;
}

/** Who takes messages: a stream, a single pull, or the push sender. */
export interface Consumer {
  /** What it can take now; no message or no byte means none. */
  readonly room: { readonly messages: number; readonly bytes: number };
  /** How long a delivery may stay without an answer. */
  readonly ackDeadlineMs: number;
  deliver(deliveries: readonly Delivery[]): void;
  /** A delivery that it held is answered or overdue. */
  released(bytes: number): void;
  /** The subscription will deliver nothing more to it. */
  end(status: StatusError): void;
}

/** Sends a message that was delivered in vain too often to the dead letter topic. */
export type DeadLetterSender = (
  subscription: Subscription,
  message: Message,
  attempts: number,
) => Promise<void>;

/** When a dead letter could not be sent, the next try waits this long. */
const DEAD_LETTER_RETRY_MS = 1_000;

/**
 * A subscription at work: hands its backlog to its consumers, and watches over each delivery until
 * it is acknowledged, refused or overdue.
 */
export class Subscription {
  readonly number: number;
  /** Whether definition and backlog survive a restart. */
  readonly durable: boolean;
  readonly #backlog: Backlog;
  readonly #deadLetter: DeadLetterSender;
  readonly #deadlines: Deadlines<Entry>;
  readonly #leases = new Map<Entry, Consumer>();
  readonly #filter: Filter;
  #definition: SubscriptionDefinition;
  #consumers: Consumer[] = [];
  #turn = 0;
  #woken = false;
  #activeAtMs = Date.now();

  constructor(
    definition: SubscriptionDefinition,
    options: BacklogOptions,
    deadLetter: DeadLetterSender,
  ) {
    this.number = options.subscription;
    this.durable = options.commits !== undefined;
    this.#definition = definition;
    this.#backlog = new Backlog(options);
    this.#deadLetter = deadLetter;
    this.#filter = parseFilter(definition.filter);
    this.#deadlines = new Deadlines((entries) => this.#onDue(entries));
  }

  get definition(): SubscriptionDefinition {
    return this.#definition;
  }

  /** Takes a changed definition; the filter is the one thing that never changes. */
  redefine(definition: SubscriptionDefinition): void {
    this.#definition = definition;
    this.wake();
  }

  /** Whether the filter lets the message through. */
  wants(message: Message): boolean {
    return this.#filter(message.attributes);
  }

  /** Takes messages that it wants, in the order of their ids; on disk already if durable. */
  offer(messages: readonly Message[]): void {
    this.#backlog.offer(messages);
    this.wake();
  }

  attach(consumer: Consumer): void {
    this.#consumers.push(consumer);
    this.wake();
  }

  /** The consumer takes nothing more; what it holds stays until its deadline, as with Google. */
  detach(consumer: Consumer): void {
    this.#consumers = this.#consumers.filter((other) => other !== consumer);
    this.#activeAtMs = Date.now();
  }

  /** Ends all consumers with this status and stops every clock. */
  end(status: StatusError): void {
    this.#deadlines.close();
    this.endConsumers(status);
    this.#leases.clear();
  }

  endConsumers(status: StatusError): void {
    const consumers = this.#consumers;
    this.#consumers = [];
    for (const consumer of consumers) consumer.end(status);
  }

  /** Deletes the backlog; only after `end`. */
  removeBacklog(): void {
    this.#backlog.removeAll();
  }

  /** Acknowledges deliveries. One that came too late counts too, if nothing else has finished it. */
  acknowledge(ackIds: readonly string[]): void {
    for (const { id } of ackIds.map((ackId) => this.#parseAckId(ackId))) {
      const entry = this.#backlog.find(id);
      if (entry === undefined) {
        this.#backlog.finishUnseen(id);
        continue;
      }
      this.#unlease(entry);
      this.#deadlines.clear(entry);
      this.#backlog.finish(entry);
    }
    this.#touch();
  }

  /** Moves the deadline of one delivery; 0 seconds refuses it. A stale one has no effect. */
  modifyAckDeadline(ackIds: readonly string[], seconds: number): void {
    if (!(seconds >= 0 && seconds <= limits.ackDeadlineSecondsMax)) {
      throw invalidArgument(
        `Invalid ack deadline given (ack_deadline_seconds=${seconds}): it must be from 0 to ${limits.ackDeadlineSecondsMax}.`,
      );
    }
    for (const { id, attempt } of ackIds.map((ackId) => this.#parseAckId(ackId))) {
      const entry = this.#backlog.find(id);
      if (entry?.state !== 'leased' || entry.attempts !== attempt) continue;
      if (seconds === 0) this.#fail(entry);
      else this.#deadlines.set(entry, seconds * 1_000);
    }
    this.#touch();
  }

  /** Has what is ready delivered soon: once, however often it is called in one turn. */
  wake(): void {
    if (this.#woken) return;
    this.#woken = true;
    queueMicrotask(() => {
      this.#woken = false;
      this.#dispatch();
    });
  }

  /** Drops what is past its retention. */
  sweep(): void {
    this.#backlog.dropBelow(idAtMs(Date.now() - this.#retentionMs));
  }

  /** Nobody has used the subscription for as long as its expiration policy allows. */
  get isExpired(): boolean {
    const ttlMs = durationMs(this.#definition.expirationPolicy.ttl);
    if (ttlMs === undefined || this.#consumers.length > 0) return false;
    return Date.now() - this.#activeAtMs > ttlMs;
  }

  #touch(): void {
    this.#activeAtMs = Date.now();
    this.wake();
  }

  get #retentionMs(): number {
    return durationMs(this.#definition.messageRetentionDuration) ?? Number.POSITIVE_INFINITY;
  }

  #dispatch(): void {
    for (;;) {
      const consumer = this.#nextConsumer();
      if (consumer === undefined) return;
      const deliveries = this.#lease(consumer);
      if (deliveries.length === 0) return;
      consumer.deliver(deliveries);
    }
  }

  /** The consumers take turns, so that several streams share the load. */
  #nextConsumer(): Consumer | undefined {
    const consumers = this.#consumers;
    for (let step = 0; step < consumers.length; step += 1) {
      const index = (this.#turn + step) % consumers.length;
      const consumer = consumers[index];
      if (consumer === undefined) continue;
      const { messages, bytes } = consumer.room;
      if (messages <= 0 || bytes <= 0) continue;
      this.#turn = index + 1;
      return consumer;
    }
    return undefined;
  }

  #lease(consumer: Consumer): Delivery[] {
    const { messages, bytes } = consumer.room;
    const messagesMax = Math.min(messages, limits.responseMessagesMax);
    const bytesMax = Math.min(bytes, limits.responseBytesMax);
    const oldestMs = Date.now() - this.#retentionMs;
    const deliveries: Delivery[] = [];
    let taken = 0;
    while (deliveries.length < messagesMax && taken < bytesMax) {
      const next = this.#backlog.next();
      if (next === undefined) break;
      const { entry, message } = next;
      if (publishedAtMs(entry.id) < oldestMs) {
        this.#backlog.finish(entry);
        continue;
      }
      entry.attempts += 1;
      this.#leases.set(entry, consumer);
      this.#deadlines.set(entry, consumer.ackDeadlineMs);
      taken += entry.bytes;
      deliveries.push({ ackId: this.#ackId(entry), message, attempt: entry.attempts });
    }
    return deliveries;
  }

  #onDue(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.state === 'leased') this.#fail(entry);
      else if (entry.state === 'delayed') this.#retry(entry);
    }
    this.wake();
  }

  /** A delivery was refused or is overdue. */
  #fail(entry: Entry): void {
    this.#unlease(entry);
    this.#deadlines.clear(entry);
    if (this.#definition.deadLetterPolicy !== undefined) this.#backlog.noteAttempts(entry);
    const backoffMs = this.#backoffMs(entry.attempts);
    if (backoffMs > 0 && !this.#isDead(entry)) {
      entry.state = 'delayed';
      this.#deadlines.set(entry, backoffMs);
    } else {
      this.#retry(entry);
    }
  }

  #retry(entry: Entry): void {
    if (this.#isDead(entry)) this.#bury(entry);
    else this.#backlog.putBack(entry);
  }

  #isDead(entry: Entry): boolean {
    const attemptsMax = this.#definition.deadLetterPolicy?.maxDeliveryAttempts;
    return attemptsMax !== undefined && entry.attempts >= attemptsMax;
  }

  #bury(entry: Entry): void {
    const message = this.#backlog.payload(entry);
    if (message === undefined) {
      this.#backlog.finish(entry);
      return;
    }
    entry.state = 'delayed';
    this.#deadLetter(this, message, entry.attempts).then(
      () => this.#backlog.finish(entry),
      () => this.#deadlines.set(entry, DEAD_LETTER_RETRY_MS),
    );
  }

  /** Doubles from the policy's minimum to its maximum; without a policy, no wait. */
  #backoffMs(attempts: number): number {
    const policy = this.#definition.retryPolicy;
    if (policy === undefined) return 0;
    const minimum = durationMs(policy.minimumBackoff) ?? 0;
    const maximum = durationMs(policy.maximumBackoff) ?? 0;
    return Math.min(maximum, minimum * 2 ** (attempts - 1));
  }

  #unlease(entry: Entry): void {
    const consumer = this.#leases.get(entry);
    if (consumer === undefined) return;
    this.#leases.delete(entry);
    consumer.released(entry.bytes);
  }

  /** Says which subscription, message and delivery: one of another subscription is refused. */
  #ackId(entry: Entry): string {
    return `${this.number}-${entry.id}-${entry.attempts}`;
  }

  #parseAckId(ackId: string): { readonly id: number; readonly attempt: number } {
    const [, subscription, id, attempt] = /^(\d{1,15})-(\d{1,16})-(\d{1,9})$/.exec(ackId) ?? [];
    if (Number(subscription) !== this.number) {
      throw invalidArgument(
        `You have passed an invalid ack ID to the service (ack_id=${ackId.slice(0, 100)}).`,
      );
    }
    return { id: Number(id), attempt: Number(attempt) };
  }
}
