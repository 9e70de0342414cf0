import type { IncomingMessage } from 'node:http';

/** What the answer to a request was. */
export interface AnswerFacts {
  readonly status: number;
  readonly tookMs: number;
  readonly responseBytes?: number;
  /** Whom it came from, where a proxy in front is known to say so. */
  readonly remoteIp?: string;
}

/**
 * A request in the form in which Cloud Logging shows one (`google.logging.type.HttpRequest`), for
 * the field `httpRequest` of the line that sums it up. Of the address only the path is shown: what
 * stands behind it may be anything.
 */
export function httpRequestOf(request: IncomingMessage, answer: AnswerFacts): object {
  const { status, tookMs, responseBytes, remoteIp } = answer;
  const agent = request.headers['user-agent'];
  return {
    requestMethod: request.method ?? '',
    requestUrl: (request.url ?? '/').split('?', 1)[0],
    status,
    ...(agent !== undefined && { userAgent: agent.slice(0, 200) }),
    ...(remoteIp !== undefined && { remoteIp }),
    // A duration as protobuf writes it in JSON.
    latency: `${(Math.max(0, tookMs) / 1_000).toFixed(3)}s`,
    ...(responseBytes !== undefined && { responseSize: String(responseBytes) }),
    protocol: `HTTP/${request.httpVersion}`,
  };
}
