import type { IncomingMessage } from 'node:http';
import type { LookupFunction, Socket } from 'node:net';
import { type ClientOptions, WebSocket } from 'ws';
import type { Clock } from './clock.ts';
import type { ConnectOptions } from './connect-options.ts';
import { reasonOf, UpstreamFailure } from './failure.ts';
import { ForbiddenAddress } from './guard.ts';
import type { UpstreamLimits } from './limits.ts';

/** An open WebSocket and what carries it. */
export interface OpenSocket {
  readonly socket: WebSocket;
  readonly carrier: Socket;
  /** Which of its instances the relay says that this is. */
  readonly instance?: string;
}

/** Names no more than one process of a relay, for whoever looks whether all of them do the same. */
const INSTANCE_HEADER = 'x-distrise-instance';
const INSTANCE_FORM = /^[\w-]{1,64}$/;

/**
 * Opens a WebSocket, paused, within `handshakeTimeoutMs`. No redirects, which would let a relay
 * choose whom we talk to. Compression only where asked for; `frameBytesMax` bounds a message as it
 * is in memory, so a small message that grows large ends the connection while it grows.
 */
export function openSocket(
  url: URL,
  limits: UpstreamLimits,
  clock: Clock,
  { guard, compression, signal }: Pick<ConnectOptions, 'guard' | 'compression' | 'signal'>,
): Promise<OpenSocket> {
  const judged = guard?.judge(url);
  if (judged?.ok === false) {
    return Promise.reject(new UpstreamFailure('forbidden', judged.reason));
  }
  return new Promise((resolve, reject) => {
    // ws hands on to the TCP connection what it does not know itself.
    const settings: ClientOptions & { lookup?: LookupFunction } = {
      maxPayload: limits.frameBytesMax,
      perMessageDeflate: compression ?? false,
      followRedirects: false,
      // The connection answers pings itself.
      autoPong: false,
      headers: { 'user-agent': 'distrise' },
      ...(guard && { lookup: guard.lookup }),
    };
    const socket = new WebSocket(url, settings);
    let carrier: Socket;
    let instance = '';
    const settle = () => {
      cancelTimer();
      signal?.removeEventListener('abort', onAbort);
      socket.removeAllListeners();
    };
    const give = (failure: UpstreamFailure) => {
      settle();
      // Ending a socket that is still connecting emits one more error, which is ours.
      socket.on('error', () => {});
      socket.terminate();
      reject(failure);
    };
    const onAbort = () => give(new UpstreamFailure('closed', 'closed by us'));
    const unreachable = (why: string, cause?: unknown) =>
      give(new UpstreamFailure('unreachable', `cannot reach ${url.href}: ${why}`, cause));
    const cancelTimer = clock.after(limits.handshakeTimeoutMs, () =>
      unreachable(`no WebSocket within ${limits.handshakeTimeoutMs / 1000} s`),
    );
    socket.once('upgrade', (response) => {
      carrier = response.socket;
      instance = String(response.headers[INSTANCE_HEADER] ?? '');
    });
    socket.once('open', () => {
      settle();
      socket.pause();
      resolve({ socket, carrier, ...(INSTANCE_FORM.test(instance) && { instance }) });
    });
    socket.once('error', (error) => {
      if (!(error instanceof ForbiddenAddress)) unreachable(reasonOf(error), error);
      else give(new UpstreamFailure('forbidden', error.message, error));
    });
    socket.once('unexpected-response', (request, response: IncomingMessage) => {
      request.destroy();
      unreachable(`it answered HTTP ${response.statusCode} instead of a WebSocket`);
    });
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort);
  });
}
