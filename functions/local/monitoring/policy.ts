import { type Condition, type ConditionResult, evaluateCondition } from './condition.ts';
import { EvaluationError } from './evaluation-error.ts';
import type { Series } from './series.ts';

/** An alert policy as Cloud Monitoring has it in JSON, as far as it is shown here. */
export interface AlertPolicy {
  readonly displayName?: string;
  readonly severity?: string;
  readonly enabled?: boolean;
  readonly combiner?: string;
  readonly conditions?: readonly Condition[];
  readonly documentation?: { readonly content?: string; readonly subject?: string };
}

export type PolicyState = ConditionResult['state'] | 'disabled';

export interface PolicyResult {
  readonly state: PolicyState;
  readonly conditions: readonly (ConditionResult & { readonly title: string })[];
}

/** Whether a policy would have an incident open now; throws an EvaluationError. */
export function evaluatePolicy(
  series: Iterable<Series>,
  policy: AlertPolicy,
  nowMs: number,
): PolicyResult {
  const all = [...series];
  const conditions = (policy.conditions ?? []).map((condition) => ({
    title: condition.displayName ?? '',
    ...evaluateCondition(all, condition, nowMs),
  }));
  if (policy.enabled === false) return { state: 'disabled', conditions };
  const states = conditions.map(({ state }) => state);
  return { state: combine(policy.combiner ?? 'OR', states), conditions };
}

function combine(combiner: string, states: readonly ConditionResult['state'][]): PolicyState {
  const has = (state: ConditionResult['state']) => states.includes(state);
  if (combiner === 'OR' || states.length === 1) {
    if (has('firing')) return 'firing';
    // What is not known could fire.
    if (has('not evaluated here')) return 'not evaluated here';
    return has('quiet') ? 'quiet' : 'no data';
  }
  if (combiner !== 'AND') throw new EvaluationError(`The combiner ${combiner} is not known here.`);
  for (const state of ['quiet', 'no data', 'not evaluated here'] as const) {
    if (has(state)) return state;
  }
  return 'firing';
}
