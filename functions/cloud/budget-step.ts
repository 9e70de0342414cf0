/**
 * What the system does to cost less, each step by itself: fetch no longer visits other relays, the
 * relay gives less at once, the relay takes nothing but deletions. A new step has its name here.
 */
export const BUDGET_STEPS = ['fetch', 'limits', 'read-only'] as const;
export type BudgetStep = (typeof BUDGET_STEPS)[number];

/** True for a step that this version knows. */
export const isBudgetStep = (name: string): name is BudgetStep =>
  (BUDGET_STEPS as readonly string[]).includes(name);

/** The steps among the names, each once and in their own order; names of other versions are left. */
export const budgetStepsOf = (names: readonly string[]): readonly BudgetStep[] =>
  BUDGET_STEPS.filter((step) => names.includes(step));
