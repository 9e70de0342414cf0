import type { ServerDuplexStream } from '@grpc/grpc-js';
import { limits } from './limits.ts';
import { receivedMessage } from './pull.ts';
import { invalidArgument, StatusError, tooLarge, tooSmall } from './status.ts';
import type { Consumer, Delivery, Subscription } from './subscription.ts';
import type { ReceivedMessage, StreamingPullRequest } from './wire.ts';

export interface StreamingPullResponse {
  readonly receivedMessages?: readonly ReceivedMessage[];
  readonly subscriptionProperties?: {
    readonly exactlyOnceDeliveryEnabled: boolean;
    readonly messageOrderingEnabled: boolean;
  };
}

type Call = ServerDuplexStream<StreamingPullRequest, StreamingPullResponse>;

const PROPERTIES: StreamingPullResponse = {
  subscriptionProperties: { exactlyOnceDeliveryEnabled: false, messageOrderingEnabled: false },
};

/**
 * Serves one StreamingPull call from its first request to its end. `find` gives the subscription
 * that the first request names, or throws the status to end with.
 */
export function serveStreamingPull(call: Call, find: (name: string) => Subscription): void {
  let stream: PullStream | undefined;
  const fail = (error: unknown) => {
    stream?.leave();
    stream = undefined;
    call.emit('error', error instanceof StatusError ? error : invalidArgument(String(error)));
  };
  call.on('data', (request: StreamingPullRequest) => {
    try {
      if (stream === undefined) {
        stream = PullStream.open(call, find(request.subscription ?? ''), request);
      } else {
        stream.follow(request);
      }
    } catch (error) {
      fail(error);
    }
  });
  call.on('cancelled', () => stream?.leave());
  call.on('error', () => stream?.leave());
  call.on('end', () => {
    stream?.leave();
    call.end();
  });
}

/** The consumer behind a stream, with the flow control that its client asked for. */
class PullStream implements Consumer {
  readonly #call: Call;
  readonly #subscription: Subscription;
  readonly #messagesMax: number;
  readonly #bytesMax: number;
  #ackDeadlineSeconds: number;
  #messages = 0;
  #bytes = 0;
  #blocked = false;

  static open(call: Call, subscription: Subscription, first: StreamingPullRequest): PullStream {
    const deadline = streamDeadline(first.streamAckDeadlineSeconds ?? 0);
    const stream = new PullStream(call, subscription, first, deadline);
    stream.#answer(first);
    // Says that the stream is up, and what kind of subscription it is, as Google does.
    call.write(PROPERTIES);
    subscription.attach(stream);
    return stream;
  }

  private constructor(
    call: Call,
    subscription: Subscription,
    first: StreamingPullRequest,
    ackDeadlineSeconds: number,
  ) {
    this.#call = call;
    this.#subscription = subscription;
    this.#messagesMax = flowLimit(first.maxOutstandingMessages);
    this.#bytesMax = flowLimit(first.maxOutstandingBytes);
    this.#ackDeadlineSeconds = ackDeadlineSeconds;
  }

  /** Nothing while the connection is full: what is sent must not pile up in this process. */
  get room() {
    if (this.#blocked) return { messages: 0, bytes: 0 };
    return {
      messages: this.#messagesMax - this.#messages,
      bytes: this.#bytesMax - this.#bytes,
    };
  }

  get ackDeadlineMs(): number {
    return this.#ackDeadlineSeconds * 1_000;
  }

  deliver(deliveries: readonly Delivery[]): void {
    this.#messages += deliveries.length;
    for (const { message } of deliveries) this.#bytes += message.bytes;
    const receivedMessages = deliveries.map((delivery) =>
      receivedMessage(this.#subscription, delivery),
    );
    if (this.#call.write({ receivedMessages })) return;
    this.#blocked = true;
    this.#call.once('drain', () => {
      this.#blocked = false;
      this.#subscription.wake();
    });
  }

  released(bytes: number): void {
    this.#messages -= 1;
    this.#bytes -= bytes;
  }

  end(status: StatusError): void {
    this.#call.emit('error', status);
  }

  leave(): void {
    this.#subscription.detach(this);
  }

  /** A later request: acknowledgements, deadlines, or nothing but a sign of life. */
  follow(request: StreamingPullRequest): void {
    if (request.subscription || request.maxOutstandingMessages || request.maxOutstandingBytes) {
      throw invalidArgument(
        'Subscription and flow control can only be set in the first request of a stream.',
      );
    }
    if (request.streamAckDeadlineSeconds) {
      this.#ackDeadlineSeconds = streamDeadline(request.streamAckDeadlineSeconds);
    }
    this.#answer(request);
    const silent = !request.ackIds?.length && !request.modifyDeadlineAckIds?.length;
    // The client takes a stream for dead that leaves its sign of life without an answer for 15 s.
    if (silent) this.#call.write(PROPERTIES);
  }

  #answer(request: StreamingPullRequest): void {
    const { ackIds = [], modifyDeadlineAckIds = [], modifyDeadlineSeconds = [] } = request;
    if (modifyDeadlineAckIds.length !== modifyDeadlineSeconds.length) {
      throw invalidArgument(
        'modify_deadline_ack_ids and modify_deadline_seconds must be of the same length.',
      );
    }
    if (ackIds.length > 0) this.#subscription.acknowledge(ackIds);
    modifyDeadlineAckIds.forEach((ackId, index) => {
      this.#subscription.modifyAckDeadline([ackId], modifyDeadlineSeconds[index] ?? 0);
    });
  }
}

/** 0 and below mean no limit. */
const flowLimit = (given = 0): number => (given > 0 ? given : Number.POSITIVE_INFINITY);

function streamDeadline(seconds: number): number {
  const { ackDeadlineSecondsMin: min, ackDeadlineSecondsMax: max } = limits;
  if (seconds < min) throw tooSmall('stream_ack_deadline_seconds', seconds, min);
  if (seconds > max) throw tooLarge('stream_ack_deadline_seconds', seconds, max);
  return seconds;
}
