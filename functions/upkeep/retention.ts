import type { Month } from '../database/months.ts';
import type { KindRetention } from '../database/retention-rules.ts';

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
  /** False where that takes another run: the months may be others then. */
  dropKinds(month: Month, kinds: readonly number[]): Promise<boolean>;
  emptyBefore(): Promise<void>;
}

const DAY = 86_400;
const GIGABYTE = 1e9;

/**
 * Applies the rules, oldest months first: whole months that are too old are dropped, then the
 * oldest ones while the rest is too large, and of what stays the kinds with a shorter life are
 * taken out where it is too old for them. The current month always stays.
 */
export async function retain(
  ports: RetentionPorts,
  rules: RetentionRules,
  nowSeconds: number,
  signal: AbortSignal,
): Promise<{ readonly months: number; readonly kinds: number }> {
  const ended = async () => (await ports.months()).filter(({ to }) => to <= nowSeconds);
  let months = 0;
  if (rules.days > 0) months += await dropOld(ports, await ended(), rules.days, nowSeconds, signal);
  if (rules.gigabytes > 0) months += await shrink(ports, await ended(), rules.gigabytes, signal);
  if (rules.kinds.length === 0) return { months, kinds: 0 };
  const left = await ended();
  const before = ports.before(left);
  let kinds = 0;
  for (const month of before === undefined ? left : [before, ...left]) {
    if (signal.aborted) break;
    const gone = await dropShortLived(ports, month, rules.kinds, nowSeconds);
    if (gone === undefined) break;
    kinds += gone;
  }
  return { months, kinds };
}

async function dropOld(
  ports: RetentionPorts,
  months: readonly Month[],
  days: number,
  nowSeconds: number,
  signal: AbortSignal,
): Promise<number> {
  const first = months[0];
  if (first !== undefined && first.from <= nowSeconds - days * DAY) await ports.emptyBefore();
  let dropped = 0;
  for (const month of months) {
    if (signal.aborted || !isTooOld(month, days, nowSeconds)) break;
    await ports.dropMonth(month);
    dropped += 1;
  }
  return dropped;
}

const isTooOld = ({ to }: Month, days: number, nowSeconds: number): boolean =>
  to <= nowSeconds - days * DAY;

/**
 * Takes out of a partition the kinds whose life is over for all of it.
 * @returns how many; undefined where that takes another run.
 */
async function dropShortLived(
  ports: RetentionPorts,
  month: Month,
  rules: readonly KindRetention[],
  nowSeconds: number,
): Promise<number | undefined> {
  const short = rules.filter(({ days }) => isTooOld(month, days, nowSeconds));
  if (short.length === 0) return 0;
  const gone = (await ports.kindsOf(month)).filter((kind) =>
    short.some(({ fromKind, toKind }) => fromKind <= kind && kind <= toKind),
  );
  if (gone.length > 0 && !(await ports.dropKinds(month, gone))) return undefined;
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
