import { type PubSub, v1 } from '@google-cloud/pubsub';
import type { Log } from './log.ts';
import type { Counter, Metrics } from './metrics/registry.ts';
import { generatedClientOptions, subscriptionPath, topicPath } from './pubsub.ts';

export interface BroadcastOptions {
  readonly pubsub: PubSub;
  readonly topic: string;
  /** The instance's own subscription: no other process may use the name. */
  readonly subscription: string;
  /** Must not wait for anything: the message is acknowledged when it returns. */
  onMessage(data: Buffer, attributes: Readonly<Record<string, string>>): void;
  /**
   * The stream broke, or the subscription had vanished and was made again: messages may be late or
   * missing. Called once when it breaks, and again when a new subscription stands, so that what is
   * read elsewhere from then on leaves no gap.
   */
  onBreak(why: string): void;
  readonly log: Log;
  readonly metrics: Metrics;
  /** How often a silent stream is asked for a sign of life. */
  readonly keepAliveMs?: number;
}

/** A subscription of this instance alone, read until it is closed. */
export interface Broadcast {
  /** Stops reading and deletes the subscription; what fails in that is logged. */
  close(): Promise<void>;
}

const ACK_DEADLINE_SECONDS = 10;
/** Pub/Sub's shortest; a dead instance's subscription must not gather (and cost) for long. */
const RETENTION_SECONDS = 600;
/** Pub/Sub's shortest; upkeep sweeps orphans earlier. */
const EXPIRATION_SECONDS = 86_400;
/** What may be sent to us beyond what we acknowledged: bounds memory in a flood. */
const OUTSTANDING_MESSAGES_MAX = 1_000;
const OUTSTANDING_BYTES_MAX = 32 * 1024 * 1024;
/** A request of Pub/Sub holds at most 512 KiB; an ack id is about 200 bytes. */
const ACKS_PER_REQUEST = 1_000;
const RETRY_FIRST_MS = 50;
const RETRY_LAST_MS = 2_000;
const REQUEST_TIMEOUT_MS = 5_000;
/** At SIGTERM all must be done within 8 s, this with the rest. */
const DELETE_TIMEOUT_MS = 2_000;
const KEEP_ALIVE_MS = 30_000;

const NOT_FOUND = 5;
const ALREADY_EXISTS = 6;

/**
 * Creates the instance's subscription and reads it. Resolves when the subscription stands: what is
 * published from then on arrives. Rejects when it cannot be created.
 *
 * It uses the generated client and not the high-level one, which opens broken streams again in
 * silence: who follows a broadcast must know when something may be missing.
 */
export async function openBroadcast(options: BroadcastOptions): Promise<Broadcast> {
  const client = new v1.SubscriberClient(await generatedClientOptions(options.pubsub));
  const reader = new BroadcastReader(options, client);
  try {
    await reader.create();
  } catch (error) {
    await client.close();
    throw error;
  }
  const reading = reader.read();
  return {
    async close() {
      reader.stop();
      await reading;
      await Promise.all([reader.acknowledged(), reader.remove()]);
      await client.close();
    },
  };
}

type Stream = ReturnType<v1.SubscriberClient['streamingPull']>;

/** What a stream sends; the generated types allow for more absence than the wire. */
interface StreamingPullResponse {
  readonly receivedMessages?:
    | readonly {
        readonly ackId?: string | null;
        readonly message?: {
          readonly data?: Uint8Array | string | null;
          readonly attributes?: Readonly<Record<string, string>> | null;
        } | null;
      }[]
    | null;
}

/** How a stream ended. */
interface StreamEnd {
  readonly code: number | undefined;
  readonly why: string;
  /** Something came on it: the next attempt need not wait long. */
  readonly wasAlive: boolean;
}

class BroadcastReader {
  readonly #options: BroadcastOptions;
  readonly #client: v1.SubscriberClient;
  readonly #name: string;
  readonly #stopped = new AbortController();
  readonly #breaks: Counter;
  #stream: Stream | undefined;
  #acks: string[] = [];
  #acknowledging: Promise<void> | undefined;

  constructor(options: BroadcastOptions, client: v1.SubscriberClient) {
    this.#options = options;
    this.#client = client;
    this.#breaks = options.metrics.counter('fast_lane_breaks_total', {});
    this.#name = subscriptionPath(options.pubsub.projectId, options.subscription);
  }

  /** Makes the subscription; one that exists already is taken over. */
  async create(): Promise<void> {
    try {
      await this.#client.createSubscription(
        {
          name: this.#name,
          topic: topicPath(this.#options.pubsub.projectId, this.#options.topic),
          ackDeadlineSeconds: ACK_DEADLINE_SECONDS,
          messageRetentionDuration: { seconds: RETENTION_SECONDS },
          expirationPolicy: { ttl: { seconds: EXPIRATION_SECONDS } },
          labels: { role: 'relay-instance' },
        },
        { timeout: REQUEST_TIMEOUT_MS },
      );
    } catch (error) {
      if (codeOf(error) !== ALREADY_EXISTS) throw error;
    }
  }

  async remove(): Promise<void> {
    try {
      await this.#client.deleteSubscription(
        { subscription: this.#name },
        { timeout: DELETE_TIMEOUT_MS },
      );
    } catch (error) {
      if (codeOf(error) === NOT_FOUND) return;
      this.#options.log.warning('instance subscription left behind', { error });
    }
  }

  stop(): void {
    this.#stopped.abort();
    this.#stream?.cancel();
  }

  /** Reads stream after stream until stopped. Never rejects. */
  async read(): Promise<void> {
    let delayMs = RETRY_FIRST_MS;
    let vanished = false;
    while (!this.#stopped.signal.aborted) {
      if (vanished) vanished = !(await this.#recreate());
      if (!vanished) {
        const end = await this.#readStream();
        if (this.#stopped.signal.aborted) return;
        if (end.wasAlive) delayMs = RETRY_FIRST_MS;
        vanished = end.code === NOT_FOUND;
        this.#breaks.add();
        this.#options.log.info('broadcast stream ended', { code: end.code, reason: end.why });
        this.#report(`stream ended: ${end.why}`);
        // Pub/Sub ends healthy streams now and then, and a vanished subscription loses messages
        // as long as it is missing: both are taken up at once.
        if (vanished && delayMs === RETRY_FIRST_MS) continue;
      }
      await this.#pause(delayMs);
      delayMs = Math.min(delayMs * 2, RETRY_LAST_MS);
    }
  }

  async #recreate(): Promise<boolean> {
    try {
      await this.create();
    } catch (error) {
      this.#options.log.warning('instance subscription cannot be made again yet', { error });
      return false;
    }
    this.#options.log.warning('instance subscription had vanished, made again');
    this.#report('subscription was made again');
    return true;
  }

  #readStream(): Promise<StreamEnd> {
    return new Promise((resolve) => {
      const stream = this.#client.streamingPull();
      this.#stream = stream;
      let wasAlive = false;
      const finish = (code: number | undefined, why: string) => {
        life.stop();
        // A broken stream may speak again; nobody listens to an error then, so something must.
        stream.removeAllListeners('data').on('error', () => undefined);
        stream.cancel();
        resolve({ code, why, wasAlive });
      };
      const life = watchLife(stream, this.#options.keepAliveMs ?? KEEP_ALIVE_MS, () =>
        finish(undefined, 'no sign of life'),
      );
      stream.on('data', (response: StreamingPullResponse) => {
        wasAlive = true;
        life.seen(response);
        this.#take(response);
      });
      stream.on('error', (error: Error) => finish(codeOf(error), error.message));
      stream.on('end', () => finish(undefined, 'closed by Pub/Sub'));
      stream.write({
        subscription: this.#name,
        streamAckDeadlineSeconds: ACK_DEADLINE_SECONDS,
        maxOutstandingMessages: OUTSTANDING_MESSAGES_MAX,
        maxOutstandingBytes: OUTSTANDING_BYTES_MAX,
        // Version 1: the server answers what we send to keep the stream alive.
        protocolVersion: 1,
      });
    });
  }

  #take(response: StreamingPullResponse): void {
    for (const { ackId, message } of response.receivedMessages ?? []) {
      try {
        this.#options.onMessage(bufferOf(message?.data), message?.attributes ?? {});
      } catch (error) {
        // It would fail again if it came again; what it held can be read elsewhere.
        this.#options.log.fault('broadcast message could not be taken', { error });
        this.#report('a message could not be taken');
      }
      if (ackId) this.#acks.push(ackId);
    }
    if (this.#acks.length > 0) this.#acknowledging ??= this.#acknowledge();
  }

  /**
   * One request at a time with all that gathered meanwhile. An acknowledgement that fails is let
   * go: the message comes again, which does no harm.
   */
  async #acknowledge(): Promise<void> {
    while (this.#acks.length > 0) {
      const ackIds = this.#acks.splice(0, ACKS_PER_REQUEST);
      try {
        await this.#client.acknowledge(
          { subscription: this.#name, ackIds },
          { timeout: REQUEST_TIMEOUT_MS },
        );
      } catch (error) {
        this.#options.log.debug('acknowledgement failed', { error, count: ackIds.length });
      }
    }
    this.#acknowledging = undefined;
  }

  /** Resolves when no acknowledgement is under way. */
  async acknowledged(): Promise<void> {
    await this.#acknowledging;
  }

  #report(why: string): void {
    try {
      this.#options.onBreak(why);
    } catch (error) {
      this.#options.log.fault('break could not be reported', { error });
    }
  }

  /** Waits, with some chance in it so that instances do not return in step; ends when stopped. */
  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const signal = this.#stopped.signal;
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, delayMs * (0.5 + Math.random() / 2));
      signal.addEventListener('abort', done);
      if (signal.aborted) done();
    });
  }
}

/**
 * Keeps a stream alive, and notices when it died in silence: a server that has answered once is
 * expected to answer again before the next question. One that never answered (not all local
 * servers do) is left alone.
 */
function watchLife(
  stream: Stream,
  keepAliveMs: number,
  onDeath: () => void,
): { seen(response: StreamingPullResponse): void; stop(): void } {
  let answers = false;
  let unanswered = false;
  const timer = setInterval(() => {
    if (answers && unanswered) {
      onDeath();
      return;
    }
    unanswered = true;
    stream.write({});
  }, keepAliveMs);
  timer.unref();
  return {
    seen(response) {
      // Only an answer to our question is empty.
      if ((response.receivedMessages ?? []).length === 0) answers = true;
      unanswered = false;
    },
    stop: () => clearInterval(timer),
  };
}

const bufferOf = (data: Uint8Array | string | null | undefined): Buffer =>
  typeof data === 'string'
    ? Buffer.from(data, 'base64')
    : Buffer.from(data?.buffer ?? new ArrayBuffer(0), data?.byteOffset, data?.byteLength);

function codeOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'number' ? error.code : undefined;
}
