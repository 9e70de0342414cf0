/** What a log line belongs to, as W3C Trace Context has it: Cloud Logging groups lines by it. */
export interface Trace {
  /** 32 lowercase hex digits. */
  readonly id: string;
  /** 16 lowercase hex digits. */
  readonly spanId?: string;
  readonly sampled?: boolean;
}

/**
 * The trace of an event: the first half of its id, which is as random as any trace id. So it needs
 * no room in a message or a row, every part knows it by itself, and what a second relay instance,
 * the fetcher or a replay has to say of the same event stands beside the rest.
 */
export const traceOfEvent = (eventId: string): string => eventId.slice(0, 32);

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;
/** Google's older form: the span is a decimal number. */
const CLOUD_TRACE = /^([0-9a-f]{32})(?:\/([0-9]{1,20}))?(?:;o=([0-9]))?$/;
const NOTHING = /^0+$/;
const SPAN_MAX = 2n ** 64n;

/** The trace that a request belongs to; undefined where it names none that is well-formed. */
export function traceOfHeaders(headers: Headers): Trace | undefined {
  return ofTraceparent(textOf(headers, 'traceparent')) ?? ofCloudTrace(headers);
}

function ofTraceparent(text: string): Trace | undefined {
  const [, id, spanId, flags] = TRACEPARENT.exec(text) ?? [];
  // Version ff is no version.
  if (id === undefined || spanId === undefined || text.startsWith('ff')) return undefined;
  if (NOTHING.test(id) || NOTHING.test(spanId)) return undefined;
  return { id, spanId, sampled: (Number.parseInt(flags ?? '0', 16) & 1) === 1 };
}

function ofCloudTrace(headers: Headers): Trace | undefined {
  const text = textOf(headers, 'x-cloud-trace-context');
  const [, id, span, sampled] = CLOUD_TRACE.exec(text) ?? [];
  if (id === undefined || NOTHING.test(id)) return undefined;
  const number = BigInt(span ?? 0);
  const known = number > 0n && number < SPAN_MAX;
  return {
    id,
    ...(known && { spanId: number.toString(16).padStart(16, '0') }),
    ...(sampled !== undefined && { sampled: sampled === '1' }),
  };
}

function textOf(headers: Headers, name: string): string {
  const value = headers[name];
  return (typeof value === 'string' ? value : (value?.[0] ?? '')).trim().toLowerCase();
}
