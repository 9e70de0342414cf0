import type { HttpFunction, Request, Response } from '@google-cloud/functions-framework';
import { httpRequestOf } from './http-request.ts';
import type { Log } from './log.ts';
import type { FunctionMetrics } from './metrics/function-metrics.ts';
import { traceOfHeaders } from './trace.ts';

/** What a function answers. */
export interface FunctionAnswer {
  readonly status: number;
  /** Sent as JSON. */
  readonly body?: object | undefined;
}

/** What one function does with a call. */
export interface FunctionWork {
  /** Answers a POST. @param log has the trace of the call. */
  answer(request: Request, log: Log): Promise<FunctionAnswer>;
  /** What is said where that throws, and by which status. */
  readonly failure: { readonly message: string; readonly status: number };
  /** When metrics are written before an answer: `due` where calls are many, else `flush`. */
  readonly write: 'due' | 'flush';
}

const METHOD_NOT_ALLOWED = 405;

/**
 * The HTTP side of a function: POST only, one line for each call, metrics before each answer. Never
 * rejects and never throws: a stray error would end the process, with all other calls in it.
 */
export function functionHandler(
  work: FunctionWork,
  log: Log,
  writing: FunctionMetrics,
): HttpFunction {
  const failed = writing.metrics.counter('fail_total', { reason: 'error' });
  return async (request: Request, response: Response): Promise<void> => {
    const began = performance.now();
    const own = log.child({ trace: traceOfHeaders(request.headers) });
    let answer: FunctionAnswer = { status: METHOD_NOT_ALLOWED };
    try {
      if (request.method === 'POST') answer = await work.answer(request, own);
    } catch (error) {
      failed.add();
      own.error(work.failure.message, { error });
      answer = { status: work.failure.status };
    }
    await writing[work.write]();
    const { status, body } = answer;
    response.status(status);
    if (body === undefined) response.end();
    else response.json(body);
    const tookMs = performance.now() - began;
    own.debug('request answered', { httpRequest: httpRequestOf(request, { status, tookMs }) });
  };
}
