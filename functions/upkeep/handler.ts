import type { HttpFunction, Request } from '@google-cloud/functions-framework';
import { type FunctionAnswer, functionHandler } from '../cloud/function-handler.ts';
import type { Log } from '../cloud/log.ts';
import type { FunctionMetrics } from '../cloud/metrics/function-metrics.ts';
import { openOnce } from '../cloud/open-once.ts';
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
 */
export function upkeepHandler(
  open: () => Promise<Upkeep>,
  log: Log,
  writing: FunctionMetrics,
): HttpFunction {
  const upkeepOf = openOnce(open);
  const answer = async ({ body }: Request, own: Log) => answerTo(body, await upkeepOf(), own);
  const failure = { message: 'upkeep could not run', status: 500 };
  return functionHandler({ answer, failure, write: 'flush' }, log, writing);
}

const isPush = (body: unknown): boolean =>
  typeof body === 'object' && body !== null && 'message' in body;

async function answerTo(body: unknown, upkeep: Upkeep, log: Log): Promise<FunctionAnswer> {
  if (isPush(body)) {
    await upkeep.hearBudget(body);
    return { status: 204 };
  }
  if (!isDeadLetterCall(body)) {
    const reports = await upkeep.run();
    return {
      status: reports.some(({ result }) => result === 'failed') ? 500 : 200,
      body: reports,
    };
  }
  const call = parseDeadLetterCall(body);
  if (!call.ok) return { status: 400, body: { error: call.reason } };
  return { status: 200, body: await answerDeadLetterCall(call.value, upkeep.deadLetters, log) };
}
