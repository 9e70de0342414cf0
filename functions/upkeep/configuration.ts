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

/** Days for some kinds, as `7:90,20-29:30`: kind or range of kinds, colon, days. */
export interface KindRetention {
  readonly fromKind: number;
  readonly toKind: number;
  readonly days: number;
}

const KIND_RULE = /^([0-9]{1,5})(?:-([0-9]{1,5}))?:([0-9]{1,5})$/;

/** The rules of RETENTION_KINDS; undefined where one is malformed. */
export function parseKindRetention(text: string): KindRetention[] | undefined {
  const rules: KindRetention[] = [];
  for (const part of text.split(',').map((rule) => rule.trim())) {
    const match = KIND_RULE.exec(part);
    if (match === null) return undefined;
    const fromKind = Number(match[1]);
    const toKind = Number(match[2] ?? match[1]);
    const days = Number(match[3]);
    if (toKind < fromKind || toKind > 65_535 || days < 1) return undefined;
    rules.push({ fromKind, toKind, days });
  }
  return rules;
}

export const schema = z.object({
  ...postgresVariables,
  ...pubsubVariables,
  ...logVariables,
  ...metricsVariables,
  PARTITION_MONTHS_AHEAD: wholeNumber(1, 24, 2).describe(
    'months for which partitions are made ahead: 1 to 24',
  ),
  RETENTION_DAYS: wholeNumber(0, 36_500, 0).describe(
    'age at which regular events leave, by whole months: 1 to 36500, or 0 for never',
  ),
  RETENTION_GIGABYTES: wholeNumber(0, 1_000_000, 0).describe(
    'size of the regular events above which the oldest months leave: 1 to 1000000, or 0 for any',
  ),
  RETENTION_KINDS: z
    .string()
    .transform((text, context) => {
      const rules = parseKindRetention(text);
      if (rules === undefined) context.addIssue({ code: 'custom', message: 'malformed' });
      return rules ?? [];
    })
    .default([])
    .describe('shorter lives of some kinds in days, such as 7:90,1984:30 or 1000-1999:14'),
  CHANGES_RETENTION_HOURS: wholeNumber(1, 720, 24).describe(
    'how far back the changes log reaches: 1 to 720 hours',
  ),
  DEAD_LETTERS_PER_RUN: wholeNumber(1, 1_000_000, 10_000).describe(
    'dead letters that one run replays at most: 1 to 1000000',
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
