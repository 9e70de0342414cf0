import { CommandFailure } from '../command/exit.ts';
import { runCommandLine } from '../command/run.ts';
import { addBudget } from './budget.ts';
import { addCost } from './cost.ts';
import { addDeadLetters } from './dead-letters.ts';
import { addHealth } from './health.ts';
import { addMetrics } from './metrics.ts';
import { addProvenance } from './provenance.ts';
import { addSources } from './sources.ts';
import type { Surroundings } from './surroundings.ts';
import { addTrace } from './trace.ts';

const COMMANDS = [
  addSources,
  addProvenance,
  addTrace,
  addDeadLetters,
  addMetrics,
  addCost,
  addBudget,
  addHealth,
];

/** Runs an operator's command line and gives its exit code. Never throws. */
export const runOperator = (args: readonly string[], surroundings: Surroundings): Promise<number> =>
  runCommandLine(
    {
      description: 'Look after a Distrise: for those who have its database at hand.',
      add(program, end) {
        for (const add of COMMANDS) add(program, surroundings, end);
      },
      endingOf: (error) =>
        error instanceof CommandFailure
          ? { code: error.exitCode, message: error.message }
          : undefined,
    },
    args,
    surroundings,
  );
