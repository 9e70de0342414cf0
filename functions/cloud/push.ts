/** A Pub/Sub message as a push subscription delivers it, checked. */
export interface Push {
  readonly data: Buffer;
  readonly attributes: Readonly<Record<string, string>>;
  readonly messageId: string;
  /** Unix time in milliseconds; undefined where the message names none. */
  readonly publishedAt: number | undefined;
  /** Present where the subscription has a dead-letter policy. */
  readonly deliveryAttempt: number | undefined;
}

/** The push, or what is wrong with the call's body. */
export type PushResult =
  | { readonly ok: true; readonly value: Push }
  | { readonly ok: false; readonly reason: string };

const refuse = (reason: string): PushResult => ({ ok: false, reason });

/**
 * Takes apart the body of a push call: `{message: {data, attributes, messageId, publishTime},
 * subscription, deliveryAttempt}`. Eventarc delivers the same shape.
 */
export function parsePush(body: unknown): PushResult {
  if (!isRecord(body)) return refuse('body is no JSON object');
  const { message, deliveryAttempt } = body;
  if (!isRecord(message)) return refuse('body has no message');
  const { data: encoded = '', attributes = {}, messageId, publishTime } = message;
  const data = typeof encoded === 'string' ? decodeBase64(encoded) : undefined;
  if (data === undefined) return refuse('data is no base64');
  if (!isRecord(attributes)) return refuse('attributes are no JSON object');
  for (const value of Object.values(attributes)) {
    if (typeof value !== 'string') return refuse('an attribute is no string');
  }
  const publishedAt = typeof publishTime === 'string' ? Date.parse(publishTime) : Number.NaN;
  const value: Push = {
    data,
    attributes: attributes as Record<string, string>,
    messageId: typeof messageId === 'string' ? messageId : '',
    publishedAt: Number.isNaN(publishedAt) ? undefined : publishedAt,
    deliveryAttempt: typeof deliveryAttempt === 'number' ? deliveryAttempt : undefined,
  };
  return { ok: true, value };
}

/** Node's decoder skips what is no base64; it then makes fewer bytes than the text stands for. */
function decodeBase64(text: string): Buffer | undefined {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const data = Buffer.from(text, 'base64');
  return data.length === Math.floor(((text.length - padding) * 3) / 4) ? data : undefined;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
