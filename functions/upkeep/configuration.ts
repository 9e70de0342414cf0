import { z } from 'zod';
import {
  type ConfigurationResult,
  logVariables,
  parseConfiguration,
  postgresVariables,
  pubsubVariables,
  wholeNumber,
} from '../cloud/configuration.ts';
import { metricsVariables } from '../cloud/metrics/configuration.ts';
import { retentionVariables } from '../database/retention-rules.ts';
import { parseBudgetRules } from './budget-rules.ts';

export const schema = z.object({
  ...postgresVariables,
  ...pubsubVariables,
  ...logVariables,
  ...metricsVariables,
  PARTITION_MONTHS_AHEAD: wholeNumber(1, 24, 2).describe(
    'months for which partitions are made ahead: 1 to 24',
  ),
  ...retentionVariables,
  CHANGES_RETENTION_HOURS: wholeNumber(1, 720, 24).describe(
    'how far back the changes log reaches: 1 to 720 hours',
  ),
  DEAD_LETTERS_PER_RUN: wholeNumber(1, 1_000_000, 10_000).describe(
    'dead letters that one run replays at most: 1 to 1000000',
  ),
  BUDGET_STEPS: z
    .string()
    .prefault('0.8:fetch,0.9:limits,1.2:read-only')
    .transform((text, context) => {
      const rules = parseBudgetRules(text);
      if (rules.ok) return rules.value;
      context.addIssue({ code: 'custom', message: rules.reason });
      return z.NEVER;
    })
    .describe(
      'steps by the share of the budget that is spent: 0.8:fetch,0.9:limits,1.2:read-only; or off',
    ),
  INSTANCE_SILENT_SECONDS: wholeNumber(120, 86_400, 600).describe(
    'silence after which the subscription of a relay instance is swept: 120 to 86400',
  ),
});

export type UpkeepConfiguration = z.infer<typeof schema>;

/** What the environment asks of upkeep, or all that is wrong with it. */
export const parseUpkeepConfiguration = (
  env: Readonly<Record<string, string | undefined>>,
): ConfigurationResult<UpkeepConfiguration> => parseConfiguration(schema, env);
