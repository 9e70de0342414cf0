import type { ServerUnaryCall } from '@grpc/grpc-js';
import { limits } from './limits.ts';
import { publishedAtMs } from './message.ts';
import type { StatusError } from './status.ts';
import type { Consumer, Delivery, Subscription } from './subscription.ts';
import type { ReceivedMessage } from './wire.ts';

/** A delivery as gRPC carries it. */
export function receivedMessage(
  subscription: Subscription,
  { ackId, message, attempt }: Delivery,
): ReceivedMessage {
  const ms = publishedAtMs(message.id);
  return {
    ackId,
    message: {
      data: message.data,
      attributes: message.attributes,
      messageId: String(message.id),
      publishTime: { seconds: Math.floor(ms / 1_000), nanos: (ms % 1_000) * 1_000_000 },
      orderingKey: message.orderingKey,
    },
    deliveryAttempt: subscription.definition.deadLetterPolicy === undefined ? 0 : attempt,
  };
}

/** A client that gives up must get the answer before; this much time is left for the way. */
const DEADLINE_MARGIN_MS = 200;

/** One Pull call: takes what is there, or waits for it. */
export function pull(
  subscription: Subscription,
  messagesMax: number,
  call: Pick<ServerUnaryCall<unknown, unknown>, 'getDeadline' | 'on'>,
  options: { readonly returnImmediately: boolean },
): Promise<readonly ReceivedMessage[]> {
  return new Promise((resolve, reject) => {
    let open = true;
    const finish = (): boolean => {
      if (!open) return false;
      open = false;
      clearTimeout(timer);
      subscription.detach(consumer);
      return true;
    };
    const consumer: Consumer = {
      get room() {
        return { messages: open ? messagesMax : 0, bytes: limits.responseBytesMax };
      },
      ackDeadlineMs: subscription.definition.ackDeadlineSeconds * 1_000,
      deliver(deliveries) {
        if (finish())
          resolve(deliveries.map((delivery) => receivedMessage(subscription, delivery)));
      },
      released() {},
      end(status: StatusError) {
        if (finish()) reject(status);
      },
    };
    const leftMs = Number(call.getDeadline()) - Date.now() - DEADLINE_MARGIN_MS;
    const waitMs = options.returnImmediately ? 0 : Math.min(limits.pullWaitMsMax, leftMs);
    const timer = setTimeout(() => finish() && resolve([]), Math.max(0, waitMs));
    call.on('cancelled', () => finish() && resolve([]));
    subscription.attach(consumer);
  });
}
