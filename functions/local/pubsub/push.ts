import * as http from 'node:http';
import * as https from 'node:https';
import type { Log } from '../../cloud/log.ts';
import { limits } from './limits.ts';
import { publishedAtMs } from './message.ts';
import type { Consumer, Delivery, Subscription } from './subscription.ts';

/** The answers that acknowledge a pushed message. */
const SUCCESS: ReadonlySet<number> = new Set([102, 200, 201, 202, 204]);

/** The HTTP timeout ends a delivery; its own deadline is only there if that should fail. */
const DEADLINE_SLACK_MS = 5_000;

/**
 * Pushes a subscription's messages to its endpoint, one HTTP request each. The number of requests
 * at a time starts at one, doubles with each success and halves with each failure; an endpoint
 * that only fails is left alone for a while.
 */
export class PushSender implements Consumer {
  readonly #subscription: Subscription;
  readonly #endpoint: URL;
  readonly #log: Log;
  readonly #agent: http.Agent | https.Agent;
  readonly #abort = new AbortController();
  #window = 1;
  #inFlight = 0;
  #failures = 0;
  #pause: NodeJS.Timeout | undefined;

  constructor(subscription: Subscription, endpoint: string, log: Log) {
    this.#subscription = subscription;
    this.#endpoint = new URL(endpoint);
    this.#log = log;
    const options = { keepAlive: true, maxSockets: limits.pushWindowMax };
    this.#agent =
      this.#endpoint.protocol === 'https:' ? new https.Agent(options) : new http.Agent(options);
  }

  get room() {
    const messages = this.#pause === undefined ? this.#window - this.#inFlight : 0;
    return { messages, bytes: limits.responseBytesMax };
  }

  get ackDeadlineMs(): number {
    return this.#timeoutMs + DEADLINE_SLACK_MS;
  }

  get #timeoutMs(): number {
    return this.#subscription.definition.ackDeadlineSeconds * 1_000;
  }

  deliver(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) {
      this.#inFlight += 1;
      this.#post(pushBody(this.#subscription, delivery)).then(
        (status) => this.#settle(delivery, SUCCESS.has(status), { status }),
        (error: unknown) => this.#settle(delivery, false, { error }),
      );
    }
  }

  released(): void {}

  end(): void {
    clearTimeout(this.#pause);
    this.#abort.abort();
    this.#agent.destroy();
  }

  #settle(delivery: Delivery, success: boolean, answer: object): void {
    if (this.#abort.signal.aborted) return;
    this.#inFlight -= 1;
    if (success) {
      this.#failures = 0;
      this.#window = Math.min(limits.pushWindowMax, this.#window * 2);
      this.#subscription.acknowledge([delivery.ackId]);
      return;
    }
    this.#failures += 1;
    this.#window = Math.max(1, this.#window >> 1);
    this.#log.warning('push failed', {
      subscription: this.#subscription.definition.name,
      messageId: delivery.message.id,
      attempt: delivery.attempt,
      ...answer,
    });
    this.#rest();
    this.#subscription.modifyAckDeadline([delivery.ackId], 0);
  }

  #rest(): void {
    const pauseMs = limits.pushPauseMsMin * 2 ** Math.min(this.#failures - 1, 20);
    clearTimeout(this.#pause);
    this.#pause = setTimeout(
      () => {
        this.#pause = undefined;
        this.#subscription.wake();
      },
      Math.min(limits.pushPauseMsMax, pauseMs),
    );
  }

  /** Posts once more where a kept connection had been closed just before: nobody read the first. */
  async #post(body: Buffer): Promise<number> {
    try {
      return await this.#request(body);
    } catch (error) {
      const { reused, code } = error as { reused?: boolean; code?: string };
      const stale = reused === true && (code === 'ECONNRESET' || code === 'EPIPE');
      if (!stale) throw error;
      return await this.#request(body);
    }
  }

  #request(body: Buffer): Promise<number> {
    const send = this.#endpoint.protocol === 'https:' ? https.request : http.request;
    return new Promise((resolve, reject) => {
      const timeout = AbortSignal.timeout(this.#timeoutMs);
      const request = send(this.#endpoint, {
        method: 'POST',
        agent: this.#agent,
        signal: AbortSignal.any([this.#abort.signal, timeout]),
        headers: {
          'content-type': 'application/json',
          'content-length': body.length,
          accept: 'application/json',
          'user-agent': 'CloudPubSub-Google',
        },
      });
      // 102 is an interim answer, and one that acknowledges.
      request.on('information', ({ statusCode }) => {
        if (statusCode === 102) resolve(statusCode);
      });
      request.on('response', (response) => {
        response.resume();
        response.on('error', reject);
        response.on('end', () => resolve(response.statusCode ?? 0));
      });
      request.on('error', (error) =>
        reject(request.reusedSocket ? Object.assign(error, { reused: true }) : error),
      );
      request.end(body);
    });
  }
}

/** The wrapped message as Google posts it, both spellings of id and time included. */
function pushBody(subscription: Subscription, { message, attempt }: Delivery): Buffer {
  const { name, deadLetterPolicy } = subscription.definition;
  const messageId = String(message.id);
  const publishTime = new Date(publishedAtMs(message.id)).toISOString();
  const hasAttributes = Object.keys(message.attributes).length > 0;
  return Buffer.from(
    JSON.stringify({
      message: {
        ...(hasAttributes ? { attributes: message.attributes } : {}),
        ...(message.data.length > 0 ? { data: message.data.toString('base64') } : {}),
        messageId,
        message_id: messageId,
        ...(message.orderingKey === '' ? {} : { orderingKey: message.orderingKey }),
        publishTime,
        publish_time: publishTime,
      },
      subscription: name,
      ...(deadLetterPolicy === undefined ? {} : { deliveryAttempt: attempt }),
    }),
  );
}
