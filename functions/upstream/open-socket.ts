import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import type { Clock } from './clock.ts';
import { reasonOf, UpstreamFailure } from './failure.ts';
import type { UpstreamLimits } from './limits.ts';

/**
 * Opens a WebSocket, paused, within `handshakeTimeoutMs`. No redirects, which would let a relay
 * choose whom we talk to; no compression, which would let a small message cost much memory.
 */
export function openSocket(
  url: URL,
  limits: UpstreamLimits,
  clock: Clock,
  signal?: AbortSignal,
): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, {
      maxPayload: limits.frameBytesMax,
      perMessageDeflate: false,
      followRedirects: false,
      headers: { 'user-agent': 'distrise' },
    });
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
    socket.once('open', () => {
      settle();
      socket.pause();
      resolve(socket);
    });
    socket.once('error', (error) => unreachable(reasonOf(error), error));
    socket.once('unexpected-response', (request, response: IncomingMessage) => {
      request.destroy();
      unreachable(`it answered HTTP ${response.statusCode} instead of a WebSocket`);
    });
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort);
  });
}
