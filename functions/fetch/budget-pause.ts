import { BUDGET_STEPS, type BudgetStep } from '../cloud/budget-step.ts';
import type { Log } from '../cloud/log.ts';
import type { Metrics } from '../cloud/metrics/registry.ts';

export interface BudgetPauseParts {
  /** The steps of the budget that hold now. */
  readonly read: () => Promise<readonly BudgetStep[]>;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** Whether the budget lets other relays be visited; a change is said in the log. */
export class BudgetPause {
  readonly #parts: BudgetPauseParts;
  #held = false;
  #everStepped = false;

  constructor(parts: BudgetPauseParts) {
    this.#parts = parts;
  }

  /** Looks anew. @throws what the database throws: no visit can be made without it either. */
  async holds(): Promise<boolean> {
    const { read, metrics, log } = this.#parts;
    const steps = await read();
    // Series cost: they are written from the first step on, which may never come.
    this.#everStepped ||= steps.length > 0;
    for (const step of this.#everStepped ? BUDGET_STEPS : []) {
      metrics.gauge('budget_step', { step }).set(Number(steps.includes(step)));
    }
    const holds = steps.includes('fetch');
    if (holds && !this.#held) {
      log.warning('no relay is visited: the budget has fetch paused', { steps });
    } else if (!holds && this.#held) {
      log.info('relays are visited again: the budget allows it', { steps });
    }
    this.#held = holds;
    return holds;
  }
}
