import type { HttpFunction, Request } from '@google-cloud/functions-framework';
import { functionHandler } from '../cloud/function-handler.ts';
import type { Log } from '../cloud/log.ts';
import type { FunctionMetrics } from '../cloud/metrics/function-metrics.ts';
import { openOnce } from '../cloud/open-once.ts';
import { type StorePorts, storePush } from './store.ts';

const NO_CONTENT = 204;
const SERVICE_UNAVAILABLE = 503;

/**
 * The HTTP side of store: 204 lets Pub/Sub forget the message, 503 has it delivered again. `open`
 * runs at the first request and not before, since a deploy check loads the code without
 * credentials; where it fails, the next request tries again.
 */
export function storeHandler(
  open: () => Promise<StorePorts>,
  log: Log,
  writing: FunctionMetrics,
): HttpFunction {
  const ports = openOnce(open);
  const answer = async (request: Request, own: Log) => {
    const raw = request.rawBody ?? Buffer.alloc(0);
    const verdict = await storePush(request.body, raw, { ...(await ports()), log: own });
    return { status: verdict.acknowledge ? NO_CONTENT : SERVICE_UNAVAILABLE };
  };
  const failure = { message: 'message could not be handled', status: SERVICE_UNAVAILABLE };
  return functionHandler({ answer, failure, write: 'due' }, log, writing);
}
