import { Command, CommanderError } from 'commander';
import { reasonOf } from '../upstream/failure.ts';
import { addBudget } from './budget.ts';
import { addCost } from './cost.ts';
import { addDeadLetters } from './dead-letters.ts';
import { CommandFailure, EXIT } from './exit.ts';
import { addHealth } from './health.ts';
import { addMetrics } from './metrics.ts';
import { addProvenance } from './provenance.ts';
import { addSources } from './sources.ts';
import { type Surroundings, tell } from './surroundings.ts';
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
export async function runOperator(
  args: readonly string[],
  surroundings: Surroundings,
): Promise<number> {
  let code: number = EXIT.done;
  try {
    await buildProgram(surroundings, (given) => {
      code = given;
    }).parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    return codeOf(error, surroundings);
  }
}

function buildProgram(surroundings: Surroundings, onCode: (code: number) => void): Command {
  const program = new Command('distrise')
    .description('Look after a Distrise: for those who have its database at hand.')
    .helpCommand(true)
    .showSuggestionAfterError(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => surroundings.stdout.write(text),
      writeErr: (text) => surroundings.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'distrise: ')),
    });
  for (const add of COMMANDS) add(program, surroundings, onCode);
  return program;
}

function codeOf(error: unknown, surroundings: Surroundings): number {
  // commander has said what there is to say; help that was asked for is no error.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  tell(
    surroundings,
    `distrise: ${error instanceof CommandFailure ? error.message : reasonOf(error)}`,
  );
  if (error instanceof CommandFailure) return error.exitCode;
  // Out of our hands, or a fault of ours: the trace helps whoever reports it.
  if (surroundings.env['DISTRISE_DEBUG']) tell(surroundings, String((error as Error)?.stack));
  return EXIT.file;
}
