import { createInterface } from 'node:readline/promises';
import { runOperator } from './program.ts';

/** What a shell expects of a process that a signal ended. */
const CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

// What a command changes, it changes in statements that stand alone: there is nothing to bring to an
// end.
for (const name of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => process.exit(CODES[name]));
}
// Started by the launcher: its death must not leave us behind, and it must not keep us alive.
process.on('disconnect', () => process.exit(CODES.SIGHUP));
process.channel?.unref();

async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await terminal.question(question);
  } finally {
    terminal.close();
  }
}

process.exit(
  await runOperator(process.argv.slice(2), {
    env: process.env,
    stdout: process.stdout,
    stderr: process.stderr,
    nowMs: () => Date.now(),
    ...(process.stdin.isTTY && { ask }),
  }),
);
