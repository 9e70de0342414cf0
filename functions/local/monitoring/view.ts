import type { Dashboard } from './dashboard.ts';
import { type DrawnDashboard, drawDashboard } from './draw.ts';
import { EvaluationError } from './evaluation-error.ts';
import type { InfraFile } from './files.ts';
import { type AlertPolicy, evaluatePolicy, type PolicyResult, type PolicyState } from './policy.ts';
import type { Series } from './series.ts';

/** Everything that the page shows at one time. */
export interface View {
  readonly nowMs: number;
  readonly rangeMs: number;
  readonly dashboards: readonly { readonly id: string; readonly title: string }[];
  /** Absent where there is none of that name, or it cannot be read. */
  readonly dashboard?: DrawnDashboard & { readonly id: string };
  readonly alerts: readonly DrawnAlert[];
  /** Files that are no JSON. */
  readonly faults: readonly string[];
  readonly series: number;
}

export interface DrawnAlert {
  readonly id: string;
  readonly title: string;
  readonly severity: string;
  readonly state: PolicyState | 'fault';
  readonly conditions: PolicyResult['conditions'];
  readonly documentation: string;
  /** Why it could not be evaluated. */
  readonly fault?: string;
}

export interface ViewRequest {
  /** The first one, unless said. */
  readonly dashboard: string | undefined;
  readonly rangeMs: number;
  readonly nowMs: number;
}

/** How long the lists are that a person looks at. */
const OBSERVED_MAX = 10;

export function drawView(
  dashboards: readonly InfraFile<Dashboard>[],
  alerts: readonly InfraFile<AlertPolicy>[],
  series: readonly Series[],
  { dashboard: wanted, rangeMs, nowMs }: ViewRequest,
): View {
  const readable = dashboards
    .flatMap(({ id, content }) => (content === undefined ? [] : [{ id, content }]))
    .map(({ id, content }) => ({ id, content, title: content.displayName ?? id }))
    .sort((one, other) => one.title.localeCompare(other.title, 'en', { numeric: true }));
  const chosen = readable.find(({ id }) => id === wanted) ?? readable[0];
  return {
    nowMs,
    rangeMs,
    dashboards: readable.map(({ id, title }) => ({ id, title })),
    ...(chosen === undefined
      ? {}
      : {
          dashboard: {
            id: chosen.id,
            ...drawDashboard(chosen.content, series, { nowMs, rangeMs }),
          },
        }),
    alerts: alerts
      .flatMap(({ id, content }) =>
        content === undefined ? [] : [drawAlert(id, content, series, nowMs)],
      )
      .sort((one, other) => rank(one) - rank(other) || one.title.localeCompare(other.title, 'en')),
    faults: [...dashboards, ...alerts].flatMap(({ fault }) => fault ?? []),
    series: series.length,
  };
}

function drawAlert(
  id: string,
  policy: AlertPolicy,
  series: readonly Series[],
  nowMs: number,
): DrawnAlert {
  const alert = {
    id,
    title: policy.displayName ?? id,
    severity: policy.severity ?? '',
    documentation: policy.documentation?.content ?? '',
  };
  try {
    const { state, conditions } = evaluatePolicy(series, policy, nowMs);
    return {
      ...alert,
      state,
      conditions: conditions.map((condition) => ({
        ...condition,
        observed: condition.observed
          .toSorted((one, other) => Number(other.violates) - Number(one.violates))
          .slice(0, OBSERVED_MAX),
      })),
    };
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error;
    return { ...alert, state: 'fault', conditions: [], fault: error.message };
  }
}

const SEVERITIES = ['CRITICAL', 'ERROR', 'WARNING'];
const STATES: readonly DrawnAlert['state'][] = [
  'firing',
  'fault',
  'quiet',
  'no data',
  'not evaluated here',
  'disabled',
];

/** What wants attention first. */
function rank({ state, severity }: DrawnAlert): number {
  const urgency = SEVERITIES.indexOf(severity);
  return STATES.indexOf(state) * 10 + (urgency < 0 ? SEVERITIES.length : urgency);
}
