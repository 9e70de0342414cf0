import type { HttpFunction } from '@google-cloud/functions-framework';
import { functionHandler } from '../cloud/function-handler.ts';
import type { Log } from '../cloud/log.ts';
import type { FunctionMetrics } from '../cloud/metrics/function-metrics.ts';
import type { ProbeReport } from './probe.ts';

/** The HTTP side of the probe: 200 with what was measured, 500 when the relay failed. */
export function probeHandler(
  run: () => Promise<ProbeReport>,
  log: Log,
  writing: FunctionMetrics,
): HttpFunction {
  const answer = async () => {
    const body = await run();
    return { status: body.failure === undefined ? 200 : 500, body };
  };
  const failure = { message: 'the probe could not run', status: 500 };
  return functionHandler({ answer, failure, write: 'flush' }, log, writing);
}
