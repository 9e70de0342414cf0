import type pg from 'pg';
import { type BudgetStep, budgetStepsOf } from '../cloud/budget-step.ts';
import { withTransaction } from './session.ts';

/** What a notification of Cloud Billing says. */
export interface Spend {
  readonly cost: number;
  /** The budget. */
  readonly amount: number;
  readonly currency: string;
  readonly intervalStart: Date;
  readonly publishedAt: Date;
}

/** Cloud Billing writes several times a day: what was said so long ago tells nothing of now. */
const SPEND_VALID_MS = 3 * 86_400_000;

/** True where nobody has said for days what was spent. */
export const isStale = ({ publishedAt }: Spend, nowMs: number): boolean =>
  nowMs - publishedAt.getTime() > SPEND_VALID_MS;

/** The ladder as it stands. */
export interface Budget {
  /** Undefined until the first notification. */
  readonly spend: Spend | undefined;
  /** What follows from it. */
  readonly reckoned: readonly BudgetStep[];
  /** What an operator wants instead; undefined where none does. */
  readonly chosen: readonly BudgetStep[] | undefined;
  /** What holds. */
  readonly steps: readonly BudgetStep[];
}

export interface BudgetChange {
  readonly changedAt: Date;
  readonly steps: readonly BudgetStep[];
  readonly cause: 'notification' | 'configuration' | 'operator';
  readonly cost: number | undefined;
  readonly amount: number | undefined;
  readonly currency: string | undefined;
  readonly by: string | undefined;
  readonly why: string;
}

interface Row {
  readonly cost: number | null;
  readonly amount: number | null;
  readonly currency: string | null;
  readonly interval_start: Date | null;
  readonly published_at: Date | null;
  readonly reckoned: readonly string[];
  readonly chosen: readonly string[] | null;
  readonly steps: readonly string[];
}

/** The steps that hold: one row by its key, cheap enough for every few seconds. */
export async function readBudgetSteps(pool: pg.Pool): Promise<readonly BudgetStep[]> {
  const { rows } = await pool.query<Pick<Row, 'steps'>>({
    name: 'budget-steps',
    text: 'select steps from budget where only_row',
  });
  return budgetStepsOf(rows[0]?.steps ?? []);
}

export async function readBudget(pool: pg.Pool): Promise<Budget> {
  const { rows } = await pool.query<Row>('select * from budget');
  return budgetOf(rows[0]);
}

/** The newest changes first. */
export async function readBudgetChanges(pool: pg.Pool, limit: number): Promise<BudgetChange[]> {
  const { rows } = await pool.query<Change>(
    'select * from budget_changes order by id desc limit $1',
    [limit],
  );
  return rows.map((row) => ({
    changedAt: row.changed_at,
    steps: budgetStepsOf(row.steps),
    cause: row.cause,
    cost: row.cost ?? undefined,
    amount: row.amount ?? undefined,
    currency: row.currency ?? undefined,
    by: row.by_whom ?? undefined,
    why: row.why,
  }));
}

type Change = Pick<Row, 'cost' | 'amount' | 'currency' | 'steps'> & {
  readonly changed_at: Date;
  readonly cause: BudgetChange['cause'];
  readonly by_whom: string | null;
  readonly why: string;
};

/** Before and after. */
export interface BudgetMove {
  readonly before: Budget;
  readonly after: Budget;
}

/** Which steps follow from what was spent. */
export type Reckon = (spend: Spend | undefined) => readonly BudgetStep[];

/**
 * Takes a notification. One of an earlier period, and one that was published no later than what is
 * known, changes nothing. What is known counts for nothing where the other came days later: the
 * budget has another period now.
 * @returns undefined for such a one.
 */
export async function noteSpend(
  pool: pg.Pool,
  spend: Spend,
  reckon: Reckon,
): Promise<BudgetMove | undefined> {
  return withTransaction(pool, 'begin', async (client) => {
    const before = await lockBudget(client);
    if (before.spend !== undefined && !isNewer(spend, before.spend)) return undefined;
    const { cost, amount, currency, intervalStart, publishedAt } = spend;
    await client.query(
      `update budget set cost = $1, amount = $2, currency = $3, interval_start = $4,
        published_at = $5, reckoned = $6`,
      [cost, amount, currency, intervalStart, publishedAt, reckon(spend)],
    );
    return noteChange(client, before, { cause: 'notification' });
  });
}

const isNewer = (one: Spend, than: Spend): boolean => {
  if (isStale(than, one.publishedAt.getTime())) return true;
  const later = one.intervalStart.getTime() - than.intervalStart.getTime();
  return later === 0 ? one.publishedAt > than.publishedAt : later > 0;
};

/**
 * Has the steps follow from what is known anew: the configuration may be another one, or what was
 * spent no longer known.
 */
export async function reckonAgain(pool: pg.Pool, reckon: Reckon): Promise<BudgetMove> {
  const known = await readBudget(pool);
  if (isSame(known.reckoned, reckon(known.spend))) return { before: known, after: known };
  return withTransaction(pool, 'begin', async (client) => {
    const before = await lockBudget(client);
    await client.query('update budget set reckoned = $1', [reckon(before.spend)]);
    return noteChange(client, before, { cause: 'configuration' });
  });
}

/** An operator's word: these steps whatever is spent, or undefined for those that follow from it. */
export async function chooseBudgetSteps(
  pool: pg.Pool,
  chosen: readonly BudgetStep[] | undefined,
  who: { readonly by: string; readonly why: string },
): Promise<BudgetMove> {
  return withTransaction(pool, 'begin', async (client) => {
    const before = await lockBudget(client);
    await client.query('update budget set chosen = $1', [chosen ?? null]);
    return noteChange(client, before, { cause: 'operator', ...who });
  });
}

/** For the time of a transaction nobody else decides. */
async function lockBudget(client: pg.ClientBase): Promise<Budget> {
  const { rows } = await client.query<Row>('select * from budget for update');
  return budgetOf(rows[0]);
}

async function noteChange(
  client: pg.ClientBase,
  before: Budget,
  { cause, by, why = '' }: Pick<BudgetChange, 'cause'> & Partial<Pick<BudgetChange, 'by' | 'why'>>,
): Promise<BudgetMove> {
  const { rows } = await client.query<Row>('select * from budget');
  const after = budgetOf(rows[0]);
  if (cause === 'operator' || !isSame(before.steps, after.steps)) {
    await client.query(
      `insert into budget_changes (steps, cause, cost, amount, currency, by_whom, why)
        select steps, $1, cost, amount, currency, $2, $3 from budget`,
      [cause, by ?? null, why],
    );
  }
  return { before, after };
}

function budgetOf(row: Row | undefined): Budget {
  if (row === undefined) throw new Error('budget has no row');
  const { cost, amount, currency, interval_start, published_at, reckoned, chosen, steps } = row;
  const known = cost !== null && amount !== null && interval_start !== null;
  return {
    spend:
      known && published_at !== null
        ? {
            cost,
            amount,
            currency: currency ?? '',
            intervalStart: interval_start,
            publishedAt: published_at,
          }
        : undefined,
    reckoned: budgetStepsOf(reckoned),
    chosen: chosen === null ? undefined : budgetStepsOf(chosen),
    steps: budgetStepsOf(steps),
  };
}

/** Both in the order of `BUDGET_STEPS`. */
const isSame = (a: readonly BudgetStep[], b: readonly BudgetStep[]): boolean =>
  a.join() === b.join();
