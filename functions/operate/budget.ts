import type { Command } from 'commander';
import {
  BUDGET_STEPS,
  type BudgetStep,
  budgetStepsOf,
  isBudgetStep,
} from '../cloud/budget-step.ts';
import {
  type Budget,
  type BudgetChange,
  chooseBudgetSteps,
  readBudget,
  readBudgetChanges,
} from '../database/budget.ts';
import {
  addDatabaseOptions,
  DATABASE_HELP,
  type DatabaseOptions,
  withDatabase,
} from './database.ts';
import { EXIT, EXIT_HELP, usageFailure } from './exit.ts';
import { type EndWith, operatorOf, print, type Surroundings, tell } from './surroundings.ts';
import { facts, table } from './table.ts';
import { distance, moment, percent } from './words.ts';

const HELP = `
Steps: fetch (no visits to other relays), limits (smaller limits and rates for clients), read-only
(only deletions are taken). Cloud Billing tells several times a day what was spent; BUDGET_STEPS of upkeep
says which steps follow. What is set here holds whatever is spent, until "set auto"; "set none" holds
all steps off. Relays follow within half a minute, fetch with its next visit.

Examples:
  distrise budget
  distrise budget set fetch limits --why "a drill"
  distrise budget set auto
${DATABASE_HELP}
${EXIT_HELP}`;

/** Changes that are shown. */
const CHANGES = 10;
const AUTO = 'auto';
const NONE = 'none';

interface Shown extends DatabaseOptions {
  readonly json?: boolean;
}

interface SetOptions extends Shown {
  readonly by?: string;
  readonly why: string;
}

/** `budget`: what was spent, and what is taken back because of it. */
export function addBudget(program: Command, surroundings: Surroundings, end: EndWith): void {
  const budget = addDatabaseOptions(
    program
      .command('budget')
      .description('what was spent, which steps hold because of it, and since when'),
  )
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action(async (options: Shown) => {
      const [now, changes] = await withDatabase(options, surroundings, async (pool) => [
        await readBudget(pool),
        await readBudgetChanges(pool, CHANGES),
      ]);
      const text = options.json
        ? JSON.stringify({ ...now, changes })
        : budgetText(now, changes, surroundings.nowMs());
      await print(surroundings, text);
      end(EXIT.done);
    });
  addDatabaseOptions(
    budget
      .command('set <steps...>')
      .description(`hold these steps, whatever is spent; ${NONE}: no step; ${AUTO}: what follows`),
  )
    .option('--by <name>', 'who decides (default: DISTRISE_OPERATOR, else user and machine)')
    .option('--why <text>', 'kept with the change', '')
    .option('--json', 'print JSON')
    .action(async (words: readonly string[], _: SetOptions, command: Command) => {
      // The parent has the same options, and takes them where they stand.
      const options = command.optsWithGlobals<SetOptions>();
      const chosen = chosenOf(words);
      const by = options.by ?? operatorOf(surroundings.env);
      const { after } = await withDatabase(options, surroundings, (pool) =>
        chooseBudgetSteps(pool, chosen, { by, why: options.why }),
      );
      const { steps } = after;
      tell(surroundings, JSON.stringify({ budget: chosen ?? AUTO, steps, by, why: options.why }));
      await print(surroundings, options.json ? JSON.stringify(after) : holds(after));
      end(EXIT.done);
    });
}

/** The steps that the words name; undefined for `auto`. */
function chosenOf(words: readonly string[]): readonly BudgetStep[] | undefined {
  if (words.length === 1 && words[0] === AUTO) return undefined;
  if (words.length === 1 && words[0] === NONE) return [];
  const wrong = words.find((word) => !isBudgetStep(word));
  if (wrong === undefined) return budgetStepsOf(words);
  const steps = BUDGET_STEPS.join(', ');
  throw usageFailure(`no step: ${wrong.slice(0, 40)} (wanted: ${steps}; or ${AUTO}, or ${NONE})`);
}

const named = (steps: readonly BudgetStep[]): string => steps.join(', ') || NONE;

const holds = ({ steps, chosen }: Budget): string =>
  `steps that hold: ${named(steps)}${chosen === undefined ? '' : ' (set by an operator)'}`;

function budgetText(budget: Budget, changes: readonly BudgetChange[], nowMs: number): string {
  const { spend, reckoned, chosen, steps } = budget;
  const lines = facts([
    ['spent', spend === undefined ? 'nothing was heard of Cloud Billing yet' : spent(spend)],
    ...(spend === undefined
      ? []
      : ([
          ['since', moment(spend.intervalStart.getTime() / 1_000)],
          ['told', distance(spend.publishedAt, nowMs)],
        ] as const)),
    ['steps that hold', named(steps)],
    ['of the budget', named(reckoned)],
    ['set by hand', chosen === undefined ? AUTO : named(chosen)],
  ]);
  if (changes.length === 0) return lines;
  const history = table(changes, [
    { title: 'CHANGED', cell: ({ changedAt }) => moment(changedAt.getTime() / 1_000) },
    { title: 'STEPS', cell: (each) => named(each.steps) },
    { title: 'CAUSE', cell: ({ cause }) => cause },
    { title: 'SPENT', cell: (each) => spent(each) },
    { title: 'BY', cell: ({ by = '' }) => by },
    { title: 'WHY', cell: ({ why }) => why },
  ]);
  return `${lines}\n\n${history}`;
}

function spent({
  cost,
  amount,
  currency = '',
}: Partial<Pick<BudgetChange, 'cost' | 'amount' | 'currency'>>): string {
  if (cost === undefined || amount === undefined) return '–';
  const of = `${cost.toFixed(2)} of ${amount.toFixed(2)} ${currency}`.trim();
  return `${of}, ${percent(Math.max(0, cost), amount)}`;
}
