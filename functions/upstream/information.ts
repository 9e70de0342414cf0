import { type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Readable } from 'node:stream';
import { createBrotliDecompress, createInflate, createUnzip } from 'node:zlib';
import { accept, type Result, refuse } from '../nostr/result.ts';
import { reasonOf } from './failure.ts';
import type { AddressGuard } from './guard.ts';
import { cleanWords } from './messages.ts';

/** What a relay says of itself (NIP-11), as far as we use it. Nothing of it need be true. */
export interface RelayInformation {
  readonly name?: string;
  readonly software?: string;
  readonly version?: string;
  readonly supportedNips?: readonly number[];
  /** The most events that it gives for one filter. */
  readonly limitMax?: number;
  /** The most that it gives where a filter names no limit. */
  readonly limitDefault?: number;
  readonly subscriptionsMax?: number;
  readonly filtersMax?: number;
  readonly messageBytesMax?: number;
  readonly authRequired?: boolean;
  /** Whether it takes only what some rule allows. */
  readonly restrictedWrites?: boolean;
  /** It takes no events for now, to stay near its budget; a Distrise says so. */
  readonly readOnlyByBudget?: true;
}

export interface InformationOptions {
  readonly timeoutMs?: number;
  /** Judges each address that is asked, also after a redirect; any address by default. */
  readonly guard?: AddressGuard;
  readonly signal?: AbortSignal;
}

/** A document above this, as it is in memory, is none that we want to read. */
const DOCUMENT_BYTES_MAX = 262_144;
/** Enough for http to https, a bare name to www and back. */
const REDIRECTS_MAX = 3;
const NIPS_MAX = 1_000;
/** The smallest that any known relay takes; less is a mistake, and would cut every question. */
const MESSAGE_BYTES_MIN = 2_048;
/** The smallest cap among known relays is 100; one of a few events would make paging endless. */
const LIMIT_MIN = 10;
/** Bytes of a line of the answer's head in all; Node's own default, said here. */
const HEADER_BYTES_MAX = 16_384;

/** Asks a relay for its NIP-11 document. A refusal says why there is none. */
export async function readInformation(
  address: URL,
  options: InformationOptions = {},
): Promise<Result<RelayInformation>> {
  const timeout = AbortSignal.timeout(options.timeoutMs ?? 5_000);
  const signal = options.signal ? AbortSignal.any([timeout, options.signal]) : timeout;
  let url = new URL(address);
  url.protocol = address.protocol === 'wss:' ? 'https:' : 'http:';
  try {
    for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects += 1) {
      const judged = judge(url, options.guard);
      if (!judged.ok) return judged;
      const response = await ask(url, signal, options.guard);
      const { statusCode = 0, headers } = response;
      if (statusCode === 200) return await readDocument(response, signal);
      response.destroy();
      if (![301, 302, 303, 307, 308].includes(statusCode)) return refuse(`HTTP ${statusCode}`);
      const { location = '' } = headers;
      if (!URL.canParse(location, url.href)) return refuse('redirected to no address');
      url = new URL(location, url);
    }
    return refuse(`redirected more than ${REDIRECTS_MAX} times`);
  } catch (error) {
    return refuse(timeout.aborted ? 'no NIP-11 document in time' : reasonOf(error));
  }
}

function judge(url: URL, guard: AddressGuard | undefined): Result<void> {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return refuse(`redirected to ${cleanWords(url.protocol)}`);
  }
  return guard?.judge(url) ?? accept(undefined);
}

function ask(
  url: URL,
  signal: AbortSignal,
  guard: AddressGuard | undefined,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options: RequestOptions = {
      // One question is all: a connection kept for more would only hold both sides.
      agent: false,
      headers: {
        accept: 'application/nostr+json',
        'accept-encoding': 'identity',
        'user-agent': 'distrise',
      },
      maxHeaderSize: HEADER_BYTES_MAX,
      signal,
      ...(guard && { lookup: guard.lookup }),
    };
    const request =
      url.protocol === 'https:'
        ? requestHttps(url, options, resolve)
        : requestHttp(url, options, resolve);
    request.on('error', reject);
    request.end();
  });
}

/** Reads within bounds: an endless answer, or one that unfolds to a huge one, is cut. */
async function readDocument(
  response: IncomingMessage,
  signal: AbortSignal,
): Promise<Result<RelayInformation>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const body = unfolded(response);
  // A stream that hangs in the middle ends with the time.
  const onAbort = () => body.destroy(new Error('no NIP-11 document in time'));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > DOCUMENT_BYTES_MAX) return refuse('NIP-11 document too large');
      chunks.push(chunk);
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    body.destroy();
    response.destroy();
  }
  return accept(parseInformation(JSON.parse(Buffer.concat(chunks).toString())));
}

/** Some servers compress whatever they are asked for. */
function unfolded(response: IncomingMessage): Readable {
  const encoding = (response.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding === '' || encoding === 'identity') return response;
  const unfold =
    encoding === 'br'
      ? createBrotliDecompress()
      : encoding === 'deflate'
        ? createInflate()
        : createUnzip();
  response.on('error', (error) => unfold.destroy(error));
  return response.pipe(unfold);
}

/** Takes what is of the right type and can be true, and leaves out all else. */
export function parseInformation(document: unknown): RelayInformation {
  const { name, software, version, supported_nips, limitation, budget_steps } = fieldsOf(document);
  const readOnly = Array.isArray(budget_steps) && budget_steps.includes('read-only');
  const limits = fieldsOf(limitation);
  const auth = limits['auth_required'];
  const restricted = limits['restricted_writes'];
  const nips = Array.isArray(supported_nips)
    ? [...new Set(supported_nips.slice(0, NIPS_MAX).filter(isCount))]
    : undefined;
  return {
    ...given('name', words(name)),
    ...given('software', words(software)),
    ...given('version', words(version)),
    ...given('supportedNips', nips),
    ...given('limitMax', count(limits['max_limit'], LIMIT_MIN)),
    ...given('limitDefault', count(limits['default_limit'])),
    ...given('subscriptionsMax', count(limits['max_subscriptions'])),
    ...given('filtersMax', count(limits['max_filters'])),
    ...given('messageBytesMax', count(limits['max_message_length'], MESSAGE_BYTES_MIN)),
    ...given('authRequired', typeof auth === 'boolean' ? auth : undefined),
    ...given('restrictedWrites', typeof restricted === 'boolean' ? restricted : undefined),
    ...given('readOnlyByBudget', readOnly || undefined),
  };
}

const fieldsOf = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
const given = <K extends keyof RelayInformation>(key: K, value: RelayInformation[K] | undefined) =>
  value === undefined ? {} : ({ [key]: value } as Pick<RelayInformation, K>);
const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) > 0;
const count = (value: unknown, min = 1): number | undefined =>
  isCount(value) && value >= min ? value : undefined;
const words = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? cleanWords(value) : undefined;
