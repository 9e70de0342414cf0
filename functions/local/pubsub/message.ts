import { limits } from './limits.ts';
import { invalidArgument, tooLarge } from './status.ts';
import type { WireMessage } from './wire.ts';

/** A published message. Shared by all subscriptions that hold it, and never changed. */
export interface Message {
  /** Grows with every message; its thousandth part is the publish time, see `publishedAtMs`. */
  readonly id: number;
  readonly data: Buffer;
  readonly attributes: Readonly<Record<string, string>>;
  readonly orderingKey: string;
  /** What it counts for in flow control and windows. */
  readonly bytes: number;
}

/** What a publisher gives; the server adds the id. */
export type Content = Omit<Message, 'id'>;

/**
 * Gives out message ids: microseconds of the clock where that grows, else one more than the last.
 * So ids tell the time, and a restart cannot give one out twice unless the clock went back.
 */
export class MessageIds {
  #last: number;

  constructor(last: number) {
    this.#last = last;
  }

  next(): number {
    this.#last = Math.max(this.#last + 1, Date.now() * 1_000);
    return this.#last;
  }
}

/** When the message with this id was published: Unix time in milliseconds. */
export const publishedAtMs = (id: number): number => Math.floor(id / 1_000);

/** The lowest id that a message published at this time can have. */
export const idAtMs = (ms: number): number => Math.floor(ms) * 1_000;

/** Checks the messages of one publish request against Google's limits; throws INVALID_ARGUMENT. */
export function parseMessages(messages: readonly WireMessage[]): Content[] {
  if (messages.length === 0) {
    throw invalidArgument('The publish request must contain at least one message.');
  }
  if (messages.length > limits.messagesPerRequestMax) {
    throw tooLarge('message_count', messages.length, limits.messagesPerRequestMax);
  }
  const contents = messages.map(parseMessage);
  const requestBytes = contents.reduce((sum, { bytes }) => sum + bytes, 0);
  if (requestBytes > limits.requestBytesMax) {
    throw invalidArgument(
      `Request payload size exceeds the limit: ${limits.requestBytesMax} bytes.`,
    );
  }
  const orderingKey = contents[0]?.orderingKey;
  if (contents.some((content) => content.orderingKey !== orderingKey)) {
    throw invalidArgument(
      'In a single publish request, all messages must have no ordering key or they must all have the same ordering key.',
    );
  }
  return contents;
}

function parseMessage({ data, attributes = {}, orderingKey = '' }: WireMessage): Content {
  const names = Object.keys(attributes);
  const payload = data ?? Buffer.alloc(0);
  if (payload.length === 0 && names.length === 0) {
    throw invalidArgument(
      'One or more messages in the publish request is empty. Each message must contain either non-empty data, or at least one attribute.',
    );
  }
  if (names.length > limits.attributesMax) {
    throw tooLarge('attribute_count', names.length, limits.attributesMax);
  }
  let bytes = payload.length;
  for (const [key, value] of Object.entries(attributes)) {
    bytes += attributeBytes(key, value);
  }
  const keyBytes = Buffer.byteLength(orderingKey);
  if (keyBytes > limits.orderingKeyBytesMax) {
    throw tooLarge('ordering_key', keyBytes, limits.orderingKeyBytesMax);
  }
  bytes += keyBytes;
  if (bytes > limits.messageBytesMax) throw tooLarge('message_size', bytes, limits.messageBytesMax);
  return { data: payload, attributes, orderingKey, bytes };
}

function attributeBytes(key: string, value: string): number {
  const keyBytes = Buffer.byteLength(key);
  const valueBytes = Buffer.byteLength(value);
  if (keyBytes === 0) throw invalidArgument('Attribute keys must be non-empty.');
  if (key.startsWith('goog')) {
    throw invalidArgument(`Attribute keys must not start with "goog" (key=${key}).`);
  }
  if (keyBytes > limits.attributeKeyBytesMax) {
    throw tooLarge('attribute_key_size', keyBytes, limits.attributeKeyBytesMax);
  }
  if (valueBytes > limits.attributeValueBytesMax) {
    throw tooLarge('attribute_value_size', valueBytes, limits.attributeValueBytesMax);
  }
  return keyBytes + valueBytes;
}
