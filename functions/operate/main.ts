import { runOperator } from './program.ts';

/** What a shell expects of a process that a signal ended. */
const CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

// Every command here changes one row at most, in one statement: there is nothing to bring to an end.
for (const name of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => process.exit(CODES[name]));
}
// Started by the launcher: its death must not leave us behind, and it must not keep us alive.
process.on('disconnect', () => process.exit(CODES.SIGHUP));
process.channel?.unref();

process.exit(
  await runOperator(process.argv.slice(2), {
    env: process.env,
    stdout: process.stdout,
    stderr: process.stderr,
    nowMs: () => Date.now(),
  }),
);
