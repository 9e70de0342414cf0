import type { Month } from '../database/partitions.ts';
import type { KindRetention } from './configuration.ts';

/** How long regular events stay. */
export interface RetentionRules {
  /** 0: for ever. */
  readonly days: number;
  /** 0: whatever the size. */
  readonly gigabytes: number;
  readonly kinds: readonly KindRetention[];
}

/** What retention reaches of the database. */
export interface RetentionPorts {
  months(): Promise<readonly Month[]>;
  /** What is older than the first month; undefined where that has no end yet. */
  before(months: readonly Month[]): Month | undefined;
  kindsOf(month: Month): Promise<readonly number[]>;
  bytes(): Promise<number>;
  dropMonth(month: Month): Promise<void>;
  dropKinds(month: Month, kinds: readonly number[]): Promise<void>;
  emptyBefore(): Promise<void>;
}

const DAY = 86_400;
const GIGABYTE = 1e9;

/**
 * Applies the rules, oldest months first: whole months that are too old are dropped, kinds with a
 * shorter life are taken out of months that are too old for them, and while the rest is too large
 * the oldest month goes. The current month always stays.
 */
export async function retain(
  ports: RetentionPorts,
  rules: RetentionRules,
  nowSeconds: number,
  signal: AbortSignal,
): Promise<{ readonly months: number; readonly kinds: number }> {
  const months = (await ports.months()).filter(({ to }) => to <= nowSeconds);
  const tooOld = (month: Month, days: number) => isTooOld(month, days, nowSeconds);
  let dropped = 0;
  let kinds = 0;
  const left: Month[] = [];
  const first = months[0];
  const beforeIsTooOld = first !== undefined && first.from <= nowSeconds - rules.days * DAY;
  if (rules.days > 0 && beforeIsTooOld) await ports.emptyBefore();
  const before = ports.before(months);
  if (before !== undefined) kinds += await dropShortLived(ports, before, rules.kinds, nowSeconds);
  for (const month of months) {
    if (signal.aborted) return { months: dropped, kinds };
    if (rules.days > 0 && tooOld(month, rules.days)) {
      await ports.dropMonth(month);
      dropped += 1;
      continue;
    }
    left.push(month);
    kinds += await dropShortLived(ports, month, rules.kinds, nowSeconds);
  }
  if (rules.gigabytes > 0) dropped += await shrink(ports, left, rules.gigabytes, signal);
  return { months: dropped, kinds };
}

const isTooOld = ({ to }: Month, days: number, nowSeconds: number): boolean =>
  to <= nowSeconds - days * DAY;

/** Takes out of a partition the kinds whose life is over for all of it. @returns how many. */
async function dropShortLived(
  ports: RetentionPorts,
  month: Month,
  rules: readonly KindRetention[],
  nowSeconds: number,
): Promise<number> {
  const short = rules.filter(({ days }) => isTooOld(month, days, nowSeconds));
  if (short.length === 0) return 0;
  const gone = (await ports.kindsOf(month)).filter((kind) =>
    short.some(({ fromKind, toKind }) => fromKind <= kind && kind <= toKind),
  );
  if (gone.length > 0) await ports.dropKinds(month, gone);
  return gone.length;
}

async function shrink(
  ports: RetentionPorts,
  months: readonly Month[],
  gigabytes: number,
  signal: AbortSignal,
): Promise<number> {
  let dropped = 0;
  let emptied = false;
  for (const month of months) {
    if (signal.aborted || (await ports.bytes()) <= gigabytes * GIGABYTE) break;
    // What lies before the first month is older than all of them, so it goes first.
    if (!emptied) {
      await ports.emptyBefore();
      emptied = true;
      if ((await ports.bytes()) <= gigabytes * GIGABYTE) break;
    }
    await ports.dropMonth(month);
    dropped += 1;
  }
  return dropped;
}
