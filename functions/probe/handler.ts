import type { HttpFunction, Request, Response } from '@google-cloud/functions-framework';
import { httpRequestOf } from '../cloud/http-request.ts';
import type { Log } from '../cloud/log.ts';
import type { FunctionMetrics } from '../cloud/metrics/function-metrics.ts';
import { traceOfHeaders } from '../cloud/trace.ts';
import type { ProbeReport } from './probe.ts';

/**
 * The HTTP side of the probe: 200 with what was measured, 500 when the relay failed. Never
 * rejects.
 */
export function probeHandler(
  run: () => Promise<ProbeReport>,
  log: Log,
  writing: FunctionMetrics,
): HttpFunction {
  const failed = writing.metrics.counter('fail_total', { reason: 'error' });
  return async (request: Request, response: Response): Promise<void> => {
    const began = performance.now();
    const own = log.child({ trace: traceOfHeaders(request.headers) });
    let status = 405;
    let answer: ProbeReport | undefined;
    try {
      if (request.method === 'POST') {
        answer = await run();
        status = answer.failure === undefined ? 200 : 500;
      }
    } catch (error) {
      failed.add();
      own.error('the probe could not run', { error });
      status = 500;
    }
    await writing.flush();
    response.status(status);
    if (answer === undefined) response.end();
    else response.json(answer);
    const tookMs = performance.now() - began;
    own.debug('request answered', { httpRequest: httpRequestOf(request, { status, tookMs }) });
  };
}
