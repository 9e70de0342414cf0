import type { IncomingMessage } from 'node:http';
import type { Information } from './information.ts';
import { PAGE_SECURITY_POLICY, pageOf } from './page.ts';

/** An HTTP answer, whole. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What the answers depend on. */
export interface HttpSubject {
  readonly information: Information;
  /** The WebSocket address as this visitor sees it. */
  readonly address: string;
  /** True when REQs and EVENTs can be served. */
  readonly ready: boolean;
}

/** The one path of the relay: WebSocket, NIP-11 and the page for people. */
export const RELAY_PATH = '/';
const LIVE_PATH = '/healthz';
const READY_PATH = '/readyz';

/** The media type of NIP-11. */
const INFORMATION_TYPE = 'application/nostr+json';

/** NIP-11 wants all three; a page of any origin may read the document. */
const CROSS_ORIGIN = {
  'access-control-allow-origin': '*',
  'access-control-allow-headers': '*',
  'access-control-allow-methods': 'GET, HEAD, OPTIONS',
};

/** Answers a plain HTTP request; what is asked for by HEAD is answered as for GET. */
export function answerHttp(request: IncomingMessage, subject: HttpSubject): HttpAnswer {
  const path = pathOf(request);
  if (path !== RELAY_PATH && path !== LIVE_PATH && path !== READY_PATH) {
    return plain(404, `There is nothing here. The relay is at ${RELAY_PATH}\n`);
  }
  const { method } = request;
  if (path === RELAY_PATH && method === 'OPTIONS') {
    const headers = {
      ...CROSS_ORIGIN,
      allow: 'GET, HEAD, OPTIONS',
      'access-control-max-age': '86400',
    };
    return { status: 204, headers, body: '' };
  }
  if (method !== 'GET' && method !== 'HEAD') {
    const allow = path === RELAY_PATH ? 'GET, HEAD, OPTIONS' : 'GET, HEAD';
    return plain(405, `Allowed here: ${allow}\n`, { allow, connection: 'close' });
  }
  if (path === LIVE_PATH) return plain(200, 'alive\n');
  if (path === READY_PATH) {
    return subject.ready
      ? plain(200, 'ready\n')
      : plain(503, 'not ready\n', { 'retry-after': '1' });
  }
  return wantsInformation(request) ? informationAnswer(subject) : pageAnswer(subject);
}

/** A short answer as plain text. */
export function plain(
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): HttpAnswer {
  return {
    status,
    headers: {
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'no-store',
      ...headers,
    },
    body,
  };
}

/** The path of the request's address, without the query. */
export const pathOf = (request: IncomingMessage): string =>
  (request.url ?? '/').split('?', 1)[0] ?? '/';

function informationAnswer({ information }: HttpSubject): HttpAnswer {
  const headers = {
    ...CROSS_ORIGIN,
    'content-type': INFORMATION_TYPE,
    'cache-control': 'no-cache',
    vary: 'Accept',
  };
  return { status: 200, headers, body: JSON.stringify(information) };
}

function pageAnswer({ information, address }: HttpSubject): HttpAnswer {
  const headers = {
    ...CROSS_ORIGIN,
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': PAGE_SECURITY_POLICY,
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-cache',
    // The address on the page is the one that this visitor used.
    vary: 'Accept, Host, X-Forwarded-Host, X-Forwarded-Proto',
  };
  return { status: 200, headers, body: pageOf(information, address) };
}

/** True where the Accept header lists the type of NIP-11, unless with the weight of zero. */
function wantsInformation(request: IncomingMessage): boolean {
  return (request.headers.accept ?? '').split(',').some((range) => {
    const [type, ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    return type === INFORMATION_TYPE && !parameters.some((one) => /^q=0(\.0*)?$/.test(one));
  });
}
