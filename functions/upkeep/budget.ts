import { BUDGET_STEPS } from '../cloud/budget-step.ts';
import type { Log } from '../cloud/log.ts';
import type { Metrics } from '../cloud/metrics/registry.ts';
import type { Postgres } from '../cloud/postgres.ts';
import { parsePush } from '../cloud/push.ts';
import {
  type BudgetMove,
  isStale,
  noteSpend,
  type Reckon,
  reckonAgain,
} from '../database/budget.ts';
import { parseNotification } from './budget-notification.ts';
import { type BudgetRule, reckonSteps, shareOf } from './budget-rules.ts';
import { JOB_DEADLINE_MS, type Job } from './jobs.ts';

/** What the ladder stands on. */
export interface LadderParts {
  readonly pool: Postgres['pool'];
  readonly rules: readonly BudgetRule[];
  readonly metrics: Metrics;
  readonly log: Log;
  readonly nowMs: () => number;
}

/** The budget ladder: what was spent decides which steps hold, for relay and fetch to read. */
export class Ladder {
  readonly #parts: LadderParts;
  readonly #reckon: Reckon;

  constructor(parts: LadderParts) {
    this.#parts = parts;
    // Where notifications have stopped, no later one could end a step.
    this.#reckon = (spend) =>
      reckonSteps(parts.rules, spend && isStale(spend, parts.nowMs()) ? undefined : spend);
  }

  /**
   * Takes a push of the topic `budget`. One that cannot be read is logged and done with: it would
   * never be understood, and another one comes within hours.
   * @throws what the database throws: then the push is worth another try.
   */
  async hear(body: unknown): Promise<void> {
    const { pool, log, nowMs } = this.#parts;
    const push = parsePush(body);
    const spend = push.ok ? parseNotification(push.value, nowMs()) : push;
    if (!spend.ok) {
      log.error('a budget notification cannot be read', { reason: spend.reason.slice(0, 500) });
      return;
    }
    const move = await noteSpend(pool, spend.value, this.#reckon);
    if (move === undefined) log.info('a budget notification came late or twice', spend.value);
    else this.#tell(move);
  }

  /** Each minute: what another configuration or a long silence makes of it, and the metrics. */
  get job(): Job {
    return {
      name: 'budget',
      deadlineMs: JOB_DEADLINE_MS,
      run: async () => {
        const move = await reckonAgain(this.#parts.pool, this.#reckon);
        this.#tell(move);
        return { steps: move.after.steps.length };
      },
    };
  }

  #tell({ before, after }: BudgetMove): void {
    const { metrics, log, nowMs } = this.#parts;
    for (const step of BUDGET_STEPS) {
      metrics.gauge('budget_step', { step }).set(Number(after.steps.includes(step)));
    }
    if (after.spend !== undefined) metrics.gauge('budget_spent', {}).set(shareOf(after.spend));
    if (before.steps.join() === after.steps.join()) return;
    const worse = after.steps.some((step) => !before.steps.includes(step));
    const fields = { steps: after.steps, before: before.steps, ...after.spend };
    if (after.spend !== undefined && isStale(after.spend, nowMs())) {
      log.warning('steps of the budget changed: for days nobody said what was spent', fields);
    } else if (worse) log.warning('steps of the budget changed', fields);
    else log.info('steps of the budget changed', fields);
  }
}
