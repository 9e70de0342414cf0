import type { HttpFunction, Request, Response } from '@google-cloud/functions-framework';
import { httpRequestOf } from '../cloud/http-request.ts';
import type { Log } from '../cloud/log.ts';
import type { FunctionMetrics } from '../cloud/metrics/function-metrics.ts';
import { openOnce } from '../cloud/open-once.ts';
import { traceOfHeaders } from '../cloud/trace.ts';
import {
  answerDeadLetterCall,
  type DeadLetterPorts,
  isDeadLetterCall,
  parseDeadLetterCall,
} from './dead-letter-call.ts';
import type { JobReport } from './jobs.ts';

/** What the function does, by how it is called. */
export interface Upkeep {
  /** The scheduler's call: everything that is due, once. */
  run(): Promise<readonly JobReport[]>;
  /** A push of the topic `budget`. */
  hearBudget(push: unknown): Promise<void>;
  /** An operator's call. */
  readonly deadLetters: DeadLetterPorts;
}

/**
 * The HTTP side of upkeep. Answers 200 with what each job did, 500 when one failed, so that the
 * scheduler tries again; a body `{"deadLetters": …}` is an operator's, and `{"message": …}` a push of
 * the topic `budget`: 204, or 500 to have it again. Who may call at all is Cloud Run's to check.
 * Never rejects.
 */
export function upkeepHandler(
  open: () => Promise<Upkeep>,
  log: Log,
  writing: FunctionMetrics,
): HttpFunction {
  const upkeepOf = openOnce(open);
  const failed = writing.metrics.counter('fail_total', { reason: 'error' });
  return async (request: Request, response: Response): Promise<void> => {
    const began = performance.now();
    const own = log.child({ trace: traceOfHeaders(request.headers) });
    let status = 405;
    let answer: object | undefined;
    try {
      if (request.method === 'POST') {
        ({ status, answer } = await answerTo(request.body, await upkeepOf(), own));
      }
    } catch (error) {
      failed.add();
      own.error('upkeep could not run', { error });
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

const isPush = (body: unknown): boolean =>
  typeof body === 'object' && body !== null && 'message' in body;

async function answerTo(
  body: unknown,
  upkeep: Upkeep,
  log: Log,
): Promise<{ readonly status: number; readonly answer: object | undefined }> {
  if (isPush(body)) {
    await upkeep.hearBudget(body);
    return { status: 204, answer: undefined };
  }
  if (!isDeadLetterCall(body)) {
    const reports = await upkeep.run();
    return {
      status: reports.some(({ result }) => result === 'failed') ? 500 : 200,
      answer: reports,
    };
  }
  const call = parseDeadLetterCall(body);
  if (!call.ok) return { status: 400, answer: { error: call.reason } };
  return { status: 200, answer: await answerDeadLetterCall(call.value, upkeep.deadLetters, log) };
}
