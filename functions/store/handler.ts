import type { HttpFunction, Request, Response } from '@google-cloud/functions-framework';
import { httpRequestOf } from '../cloud/http-request.ts';
import type { Log } from '../cloud/log.ts';
import type { FunctionMetrics } from '../cloud/metrics/function-metrics.ts';
import { openOnce } from '../cloud/open-once.ts';
import { traceOfHeaders } from '../cloud/trace.ts';
import { type StorePorts, storePush } from './store.ts';

const NO_CONTENT = 204;
const METHOD_NOT_ALLOWED = 405;
const SERVICE_UNAVAILABLE = 503;

/**
 * The HTTP side of store: 204 lets Pub/Sub forget the message, 503 has it delivered again. `open`
 * runs at the first request and not before, since a deploy check loads the code without
 * credentials; where it fails, the next request tries again. Never rejects and never throws: a
 * stray error would end the process, with all other messages in it.
 */
export function storeHandler(
  open: () => Promise<StorePorts>,
  log: Log,
  writing: FunctionMetrics,
): HttpFunction {
  const ports = openOnce(open);
  const failed = writing.metrics.counter('fail_total', { reason: 'error' });
  return async (request: Request, response: Response): Promise<void> => {
    const began = performance.now();
    const own = log.child({ trace: traceOfHeaders(request.headers) });
    let status = SERVICE_UNAVAILABLE;
    try {
      if (request.method === 'POST') {
        const raw = request.rawBody ?? Buffer.alloc(0);
        const verdict = await storePush(request.body, raw, { ...(await ports()), log: own });
        if (verdict.acknowledge) status = NO_CONTENT;
      } else {
        status = METHOD_NOT_ALLOWED;
      }
    } catch (error) {
      failed.add();
      own.error('message could not be handled', { error });
    }
    await writing.due();
    response.status(status).end();
    const tookMs = performance.now() - began;
    own.debug('request answered', { httpRequest: httpRequestOf(request, { status, tookMs }) });
  };
}
