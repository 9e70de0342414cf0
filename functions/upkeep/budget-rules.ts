import { BUDGET_STEPS, type BudgetStep, isBudgetStep } from '../cloud/budget-step.ts';
import type { Spend } from '../database/budget.ts';
import { accept, type Result, refuse } from '../nostr/result.ts';

/** A step and the share of the budget from which on it holds. */
export interface BudgetRule {
  readonly share: number;
  readonly step: BudgetStep;
}

/** The word for no ladder at all. */
const OFF = 'off';

/** Parses `0.8:fetch,0.9:limits,1.2:read-only`, or `off`. */
export function parseBudgetRules(text: string): Result<readonly BudgetRule[]> {
  if (text.trim() === OFF) return accept([]);
  const rules: BudgetRule[] = [];
  for (const part of text.split(',').map((piece) => piece.trim())) {
    const [, digits, step = ''] = /^([0-9]{1,2}(?:\.[0-9]{1,4})?)\s*:\s*(\S+)$/.exec(part) ?? [];
    const given = JSON.stringify(part.slice(0, 40));
    const share = Number(digits);
    if (digits === undefined || share === 0) {
      return refuse(`${given} is no share of the budget and step, such as 0.8:fetch`);
    }
    if (!isBudgetStep(step)) {
      return refuse(`${given} names no step, there are ${BUDGET_STEPS.join(', ')}`);
    }
    if (rules.some((rule) => rule.step === step)) return refuse(`${step} is given twice`);
    rules.push({ share, step });
  }
  return accept(rules);
}

/** The part of the budget that is spent; credits may make costs negative. */
export const shareOf = ({ cost, amount }: Spend): number => Math.max(0, cost / amount);

/** The steps that follow from what was spent, in their own order; none where nobody has said. */
export function reckonSteps(
  rules: readonly BudgetRule[],
  spend: Spend | undefined,
): readonly BudgetStep[] {
  if (spend === undefined) return [];
  const share = shareOf(spend);
  return BUDGET_STEPS.filter((step) =>
    rules.some((rule) => rule.step === step && share >= rule.share),
  );
}
