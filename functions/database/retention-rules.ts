import { z } from 'zod';
import { wholeNumber } from '../cloud/configuration.ts';
import type { NostrEvent } from '../nostr/event.ts';
import { agesOut } from '../nostr/kinds.ts';
import { monthAt } from './months.ts';

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

/** The variables that say how long regular events stay, for whatever removes or fetches them. */
export const retentionVariables = {
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
};

/** What those variables hold. */
export type RetentionConfiguration = z.infer<z.ZodObject<typeof retentionVariables>>;

const DAY = 86_400;

/** True for an event that leaves by its age, by whole months as upkeep removes them. */
export function hasLeft(
  { kind, created_at }: Pick<NostrEvent, 'kind' | 'created_at'>,
  { RETENTION_DAYS, RETENTION_KINDS }: RetentionConfiguration,
  nowSeconds: number,
): boolean {
  if (!agesOut(kind) || (RETENTION_DAYS === 0 && RETENTION_KINDS.length === 0)) return false;
  const age = nowSeconds - monthAt(created_at).to;
  const isOf = ({ fromKind, toKind }: KindRetention) => fromKind <= kind && kind <= toKind;
  return (
    (RETENTION_DAYS > 0 && age >= RETENTION_DAYS * DAY) ||
    RETENTION_KINDS.some((rule) => isOf(rule) && age >= rule.days * DAY)
  );
}
