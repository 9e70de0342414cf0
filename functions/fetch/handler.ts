import type { HttpFunction, Request, Response } from '@google-cloud/functions-framework';
import { httpRequestOf } from '../cloud/http-request.ts';
import type { Log } from '../cloud/log.ts';
import type { FunctionMetrics } from '../cloud/metrics/function-metrics.ts';
import { openOnce } from '../cloud/open-once.ts';
import { parsePush } from '../cloud/push.ts';
import { traceOfHeaders } from '../cloud/trace.ts';
import type { PlanReport } from './plan.ts';

/** What the function does, by how it is called. */
export interface Fetcher {
  /** The scheduler's call: hands out pieces of work. */
  plan(): Promise<PlanReport>;
  /** A push of the topic `fetch`: one piece; undefined where another instance is at that source. */
  work(sourceId: number): Promise<object | undefined>;
}

const NO_CONTENT = 204;
const METHOD_NOT_ALLOWED = 405;
const SERVICE_UNAVAILABLE = 503;

/**
 * The HTTP side of fetch. A piece of work is always acknowledged: whatever the source did, or our
 * own side failed to do, stands in its record, and the next call of the scheduler hands it out again
 * when it is due. Only where that cannot be noted is the answer 503; a redelivery finds a source
 * that is not due and does nothing. Never rejects and never throws.
 */
export function fetchHandler(
  open: () => Promise<Fetcher>,
  log: Log,
  writing: FunctionMetrics,
): HttpFunction {
  const fetcherOf = openOnce(open);
  const failed = writing.metrics.counter('fail_total', { reason: 'error' });
  return async (request: Request, response: Response): Promise<void> => {
    const began = performance.now();
    const own = log.child({ trace: traceOfHeaders(request.headers) });
    response.once('finish', () => {
      const answer = { status: response.statusCode, tookMs: performance.now() - began };
      own.debug('request answered', { httpRequest: httpRequestOf(request, answer) });
    });
    if (request.method !== 'POST') {
      response.status(METHOD_NOT_ALLOWED).end();
      return;
    }
    try {
      const fetcher = await fetcherOf();
      if (!isPush(request.body)) {
        const report = await fetcher.plan();
        // What planning found out is told once.
        await writing.flush();
        response.status(200).json(report);
        return;
      }
      const sourceId = sourceOf(request.body);
      if (sourceId === undefined) {
        // It would never be understood: said once, and acknowledged.
        own.error('a message of `fetch` names no source');
        response.status(NO_CONTENT).end();
        return;
      }
      await fetcher.work(sourceId);
      await writing.due();
      response.status(NO_CONTENT).end();
    } catch (error) {
      failed.add();
      own.error('fetch could not run', { error });
      await writing.due();
      response.status(SERVICE_UNAVAILABLE).end();
    }
  };
}

const isPush = (body: unknown): boolean =>
  typeof body === 'object' && body !== null && 'message' in body;

function sourceOf(body: unknown): number | undefined {
  const push = parsePush(body);
  const source = Number(push.ok ? push.value.attributes['source'] : Number.NaN);
  return Number.isSafeInteger(source) && source > 0 ? source : undefined;
}
