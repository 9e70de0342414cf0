import type { PubSub } from '@google-cloud/pubsub';
import { encodeLine, FORMAT } from './envelope.ts';
import type { Counter, Metrics, Recorder } from './metrics/registry.ts';
import { openRawPublisher, type RawPublisher } from './pubsub.ts';

/** One line of a message: what accompanies an event, and the event's text. */
export interface Line {
  readonly meta: object;
  readonly text?: string;
}

export interface PublisherOptions {
  readonly pubsub: PubSub;
  readonly topic: string;
  /** Publish requests under way at once. */
  readonly slots?: number;
  readonly eventsMax?: number;
  /** Of a message's data; one line alone may be larger. */
  readonly bytesMax?: number;
  /** From the call of `publish` until its caller has an answer, queueing included. */
  readonly deadlineMs?: number;
  /** Lines that wait or are under way; more is refused at once. */
  readonly pendingBytesMax: number;
  /** Put on every message beside the format. */
  readonly attributes?: Readonly<Record<string, string>>;
  readonly metrics: Metrics;
}

/** Why a line has no acknowledgement; after `deadline` and `failed` it may still have landed. */
class PublishError extends Error {
  override readonly name = 'PublishError';
  readonly code: 'deadline' | 'full' | 'failed' | 'closed';

  constructor(code: PublishError['code'], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** Puts lines into messages of one topic. */
export interface Publisher {
  /**
   * Resolves when Pub/Sub has acknowledged the line's message, with that one's id; else rejects with
   * PublishError.
   */
  publish(line: Line): Promise<string>;
  /** Bytes of the lines that wait or are under way. */
  readonly pendingBytes: number;
  /** Resolves when every line published so far has its answer. */
  flush(): Promise<void>;
  /** Takes no more lines, answers those it has, and closes the connection. */
  close(): Promise<void>;
}

/** Two requests: one travels while Pub/Sub writes the other; more only cuts batches smaller. */
const SLOTS = 2;
const EVENTS_MAX = 500;
const BYTES_MAX = 1024 * 1024;
const DEADLINE_MS = 10_000;

/**
 * Opens a batcher without a timer: a line goes out as soon as a publish slot is free, together
 * with all that wait by then. So a lone line waits for nothing and a flood fills large messages.
 */
export function openPublisher(options: PublisherOptions): Publisher {
  return batchLines(options, openRawPublisher(options.pubsub, options.topic));
}

/** The batcher itself, over any way to publish one message. */
export function batchLines(
  options: Omit<PublisherOptions, 'pubsub' | 'topic'>,
  raw: RawPublisher,
): Publisher {
  return new LinePublisher(options, raw);
}

interface Pending {
  readonly line: string;
  readonly bytes: number;
  /** By `performance.now()`. */
  readonly deadline: number;
  /** With the id of its message, or with why there is none. */
  readonly settle: (result: string | PublishError) => void;
  settled: boolean;
}

class LinePublisher implements Publisher {
  readonly #raw: RawPublisher;
  readonly #slots: number;
  readonly #eventsMax: number;
  readonly #bytesMax: number;
  readonly #deadlineMs: number;
  readonly #pendingBytesMax: number;
  readonly #attributes: Readonly<Record<string, string>>;
  readonly #batches: Recorder;
  readonly #durations: Recorder;
  readonly #failures: Counter;

  /** Oldest first; all have the same time to live, so the first one's deadline is the next. */
  #waiting: Pending[] = [];
  readonly #underWay = new Set<readonly Pending[]>();
  #pendingBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #idle: (() => void)[] = [];
  #woken = false;
  #closed = false;

  constructor(options: Omit<PublisherOptions, 'pubsub' | 'topic'>, raw: RawPublisher) {
    this.#raw = raw;
    this.#slots = options.slots ?? SLOTS;
    this.#eventsMax = options.eventsMax ?? EVENTS_MAX;
    this.#bytesMax = options.bytesMax ?? BYTES_MAX;
    this.#deadlineMs = options.deadlineMs ?? DEADLINE_MS;
    this.#pendingBytesMax = options.pendingBytesMax;
    this.#attributes = { ...options.attributes, format: FORMAT };
    this.#batches = options.metrics.distribution('publish_batch', {});
    this.#durations = options.metrics.distribution('publish_duration', {});
    this.#failures = options.metrics.counter('publish_failures_total', {});
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  publish({ meta, text }: Line): Promise<string> {
    if (this.#closed) return Promise.reject(new PublishError('closed', 'publisher is closed'));
    const line = encodeLine(meta, text);
    const bytes = Buffer.byteLength(line) + 1;
    if (this.#pendingBytes + bytes > this.#pendingBytesMax) {
      return Promise.reject(new PublishError('full', 'too much waits to be published'));
    }
    this.#pendingBytes += bytes;
    return new Promise((resolve, reject) => {
      const deadline = performance.now() + this.#deadlineMs;
      const pending: Pending = {
        line,
        bytes,
        deadline,
        settled: false,
        settle(result) {
          if (pending.settled) return;
          pending.settled = true;
          if (typeof result === 'string') resolve(result);
          else reject(result);
        },
      };
      this.#waiting.push(pending);
      this.#timer ??= setTimeout(() => this.#expire(), this.#deadlineMs);
      this.#wake();
    });
  }

  async flush(): Promise<void> {
    if (this.#isIdle()) return;
    await new Promise<void>((resolve) => {
      this.#idle.push(resolve);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.flush();
    await this.#raw.close();
  }

  #isIdle(): boolean {
    return this.#waiting.length === 0 && this.#underWay.size === 0;
  }

  /**
   * Sends after what this turn of the event loop still brings: the lines of one caller, and what
   * other sockets had ready. Else the first of them would go alone and take a slot for itself.
   */
  #wake(): void {
    if (this.#woken || this.#underWay.size >= this.#slots) return;
    this.#woken = true;
    setImmediate(() => {
      this.#woken = false;
      this.#fill();
    });
  }

  #fill(): void {
    while (this.#underWay.size < this.#slots && this.#waiting.length > 0) {
      const batch = this.#take();
      this.#underWay.add(batch);
      void this.#send(batch);
    }
  }

  /** The next message's lines: at least one, else as many as both bounds allow. */
  #take(): readonly Pending[] {
    let bytes = 0;
    let count = 0;
    for (const pending of this.#waiting) {
      if (count > 0 && (count >= this.#eventsMax || bytes + pending.bytes > this.#bytesMax)) break;
      bytes += pending.bytes;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  /** Never rejects. */
  async #send(batch: readonly Pending[]): Promise<void> {
    let result: string | PublishError;
    const beganMs = performance.now();
    this.#batches.record(batch.length);
    try {
      const data = Buffer.from(batch.map(({ line }) => line).join('\n'), 'utf8');
      // The youngest line's time is what the request has: older ones are answered by #expire.
      const timeLeftMs = Math.max(1, (batch.at(-1)?.deadline ?? 0) - beganMs);
      result = await this.#raw.publish(data, this.#attributes, timeLeftMs);
      this.#durations.record(performance.now() - beganMs);
    } catch (error) {
      this.#failures.add();
      result = isLate(error)
        ? this.#late(error)
        : new PublishError('failed', 'Pub/Sub did not take the message', error);
    }
    for (const pending of batch) pending.settle(result);
    this.#underWay.delete(batch);
    this.#forget(batch);
    this.#fill();
    this.#reportIdle();
  }

  /** Answers lines whose time is over, wherever they are, and arms the timer for the next one. */
  #expire(): void {
    this.#timer = undefined;
    const now = performance.now();
    const late = this.#late();
    for (const batch of this.#underWay) {
      for (const pending of batch) if (pending.deadline <= now) pending.settle(late);
    }
    const kept = this.#waiting.findIndex((pending) => pending.deadline > now);
    const expired = this.#waiting.splice(0, kept < 0 ? this.#waiting.length : kept);
    for (const pending of expired) pending.settle(late);
    this.#forget(expired);
    const next = this.#nextDeadline();
    if (next !== undefined) this.#timer = setTimeout(() => this.#expire(), next - now + 1);
    this.#reportIdle();
  }

  #late(cause?: unknown): PublishError {
    return new PublishError('deadline', `no acknowledgement within ${this.#deadlineMs} ms`, cause);
  }

  #nextDeadline(): number | undefined {
    let next = this.#waiting[0]?.deadline;
    for (const batch of this.#underWay) {
      const first = batch.find((pending) => !pending.settled)?.deadline;
      if (first !== undefined && (next === undefined || first < next)) next = first;
    }
    return next;
  }

  #forget(batch: readonly Pending[]): void {
    for (const { bytes } of batch) this.#pendingBytes -= bytes;
  }

  #reportIdle(): void {
    if (!this.#isIdle()) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}

/** gRPC's DEADLINE_EXCEEDED. */
const isLate = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 4;
