import { BUDGET_STEPS, type BudgetStep } from '../cloud/budget-step.ts';
import type { Log } from '../cloud/log.ts';
import type { Metrics } from '../cloud/metrics/registry.ts';
import type { Rate, RateLimits } from '../policy/limits.ts';
import type { RelayConfiguration } from './configuration.ts';
import { type Information, informationOf, type Software } from './information.ts';
import { rateLimitsOf, requestLimitsOf } from './limits.ts';
import type { RequestLimits } from './requests.ts';

/** What clients may do at one moment. What is advertised and what is enforced change as one. */
export interface TermsNow {
  readonly information: Information;
  readonly requests: RequestLimits;
  readonly rates: RateLimits;
  /** Why no event is taken but those that delete; undefined where others are, too. */
  readonly closedToEvents: string | undefined;
}

/** What the terms follow from. */
export interface TermsParts {
  readonly configuration: RelayConfiguration;
  readonly software: Software;
  readonly metrics: Metrics;
  readonly log: Log;
}

const NO_EVENTS =
  'restricted: the relay takes nothing but deletions for now: its budget is used up';

/** What the configuration allows, less what the steps of the budget take back. */
export class Terms {
  readonly #parts: TermsParts;
  #steps: readonly BudgetStep[] = [];
  #now: TermsNow;

  constructor(parts: TermsParts) {
    this.#parts = parts;
    this.#now = termsOf(parts, []);
  }

  get now(): TermsNow {
    return this.#now;
  }

  /** The steps that hold from now on; said again, they change nothing. */
  change(steps: readonly BudgetStep[]): void {
    const before = this.#steps;
    if (steps.join() === before.join()) return;
    this.#steps = steps;
    this.#now = termsOf(this.#parts, steps);
    // Series cost: they are written from the first step on, which may never come.
    for (const step of BUDGET_STEPS) {
      this.#parts.metrics.watch('budget_step', { step }, () => Number(this.#steps.includes(step)));
    }
    const worse = steps.some((step) => !before.includes(step));
    const { log } = this.#parts;
    if (worse) log.warning('other terms hold for clients', { steps, before });
    else log.info('other terms hold for clients', { steps, before });
  }
}

function termsOf({ configuration, software }: TermsParts, steps: readonly BudgetStep[]): TermsNow {
  const share = steps.includes('limits') ? configuration.BUDGET_LIMITS_PERCENT / 100 : 1;
  const held = withLess(configuration, share);
  const readOnly = steps.includes('read-only');
  const { limitation, ...information } = informationOf(held, software);
  return {
    information: {
      ...information,
      limitation: {
        ...limitation,
        restricted_writes: limitation.restricted_writes || readOnly,
      },
      ...(steps.length > 0 && { budget_steps: steps }),
    },
    requests: requestLimitsOf(held),
    rates: lowered(rateLimitsOf(configuration), share),
    closedToEvents: readOnly ? NO_EVENTS : undefined,
  };
}

/** The configuration with a share of the limits that a client's answers cost most by. */
function withLess(configuration: RelayConfiguration, share: number): RelayConfiguration {
  const { LIMIT_MAX, LIMIT_DEFAULT, RELAY_SUBSCRIPTIONS_MAX } = configuration;
  return {
    ...configuration,
    LIMIT_MAX: part(LIMIT_MAX, share),
    LIMIT_DEFAULT: part(LIMIT_DEFAULT, share),
    RELAY_SUBSCRIPTIONS_MAX: part(RELAY_SUBSCRIPTIONS_MAX, share),
  };
}

function lowered(rates: RateLimits, share: number): RateLimits {
  const slower = ({ perSecond, burst }: Rate): Rate => ({
    perSecond: perSecond * share,
    burst: part(burst, share),
  });
  return {
    eventsByAddress: slower(rates.eventsByAddress),
    eventsByKey: slower(rates.eventsByKey),
    versionsByKey: slower(rates.versionsByKey),
    requestsByAddress: slower(rates.requestsByAddress),
  };
}

/** Never nothing: that would be another promise than a smaller one. */
const part = (whole: number, share: number): number => Math.max(1, Math.floor(whole * share));
