import { runCommand } from './program.ts';
import { Interrupt } from './surroundings.ts';

const interruption = new AbortController();
let isInterrupted = false;

function interrupt(signalName: Interrupt['signalName']): void {
  const reason = new Interrupt(signalName);
  // Who asks twice does not want to wait.
  if (isInterrupted) process.exit(reason.exitCode);
  isInterrupted = true;
  interruption.abort(reason);
}

for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(name, () => interrupt(name));
// Started by the launcher: its death must not leave us behind, and it must not keep us alive.
process.on('disconnect', () => interrupt('SIGHUP'));
process.channel?.unref();

process.exit(
  await runCommand(process.argv.slice(2), {
    env: process.env,
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    signal: interruption.signal,
    nowSeconds: () => Math.floor(Date.now() / 1_000),
  }),
);
