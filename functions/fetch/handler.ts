import type { HttpFunction, Request } from '@google-cloud/functions-framework';
import { type FunctionAnswer, functionHandler } from '../cloud/function-handler.ts';
import type { Log } from '../cloud/log.ts';
import type { FunctionMetrics } from '../cloud/metrics/function-metrics.ts';
import { openOnce } from '../cloud/open-once.ts';
import { parsePush } from '../cloud/push.ts';
import type { PlanReport } from './plan.ts';

/** What the function does, by how it is called. */
export interface Fetcher {
  /** The scheduler's call: hands out pieces of work. */
  plan(): Promise<PlanReport>;
  /** A push of the topic `fetch`: one piece; undefined where another instance is at that source. */
  work(sourceId: number): Promise<object | undefined>;
}

const NO_CONTENT = 204;
const SERVICE_UNAVAILABLE = 503;

/**
 * The HTTP side of fetch. A piece of work is always acknowledged: whatever the source did, or our
 * own side failed to do, stands in its record, and the next call of the scheduler hands it out again
 * when it is due. Only where that cannot be noted is the answer 503; a redelivery finds a source
 * that is not due and does nothing.
 */
export function fetchHandler(
  open: () => Promise<Fetcher>,
  log: Log,
  writing: FunctionMetrics,
): HttpFunction {
  const fetcherOf = openOnce(open);
  const answer = async ({ body }: Request, own: Log): Promise<FunctionAnswer> => {
    const fetcher = await fetcherOf();
    if (!isPush(body)) {
      const report = await fetcher.plan();
      // What planning found out is told once.
      await writing.flush();
      return { status: 200, body: report };
    }
    const sourceId = sourceOf(body);
    // It would never be understood: said once, and acknowledged.
    if (sourceId === undefined) own.error('a message of `fetch` names no source');
    else await fetcher.work(sourceId);
    return { status: NO_CONTENT };
  };
  const failure = { message: 'fetch could not run', status: SERVICE_UNAVAILABLE };
  return functionHandler({ answer, failure, write: 'due' }, log, writing);
}

const isPush = (body: unknown): boolean =>
  typeof body === 'object' && body !== null && 'message' in body;

function sourceOf(body: unknown): number | undefined {
  const push = parsePush(body);
  const source = Number(push.ok ? push.value.attributes['source'] : Number.NaN);
  return Number.isSafeInteger(source) && source > 0 ? source : undefined;
}
