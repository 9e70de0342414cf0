import { orphanMs, orphanPostgresFastMs, orphanPostgresImmediateMs } from './limits.ts';
import { isAlive, signalProcess, waitFor } from './processes.ts';

/**
 * A process that outlives its supervisor for a moment. Parts end by themselves when the supervisor
 * is gone; PostgreSQL knows nothing of it, and a part that hangs does not notice. The guard holds a
 * channel to the supervisor and, when that closes, ends what is still there: PostgreSQL last, by a
 * fast shutdown.
 */

/** What the supervisor tells: a process to end, should the supervisor die; or its end. */
export type GuardMessage =
  | { readonly watch: string; readonly pid: number; readonly started: string }
  | { readonly forget: string };

interface Watched {
  readonly pid: number;
  readonly started: string;
}

const watched = new Map<string, Watched>();

process.on('message', (message: GuardMessage) => {
  if ('forget' in message) watched.delete(message.forget);
  else watched.set(message.watch, { pid: message.pid, started: message.started });
});
process.once('disconnect', () => void endAll().finally(() => process.exit(0)));
// A signal to every process at once must not take the one away that cleans up after them.
for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.send?.({ ready: true });

async function endAll(): Promise<void> {
  const postgres = watched.get('postgres');
  const others = [...watched].filter(([name]) => name !== 'postgres').map(([, each]) => each);
  await waitFor(() => !others.some(lives), orphanMs);
  for (const each of others.filter(lives)) signalProcess(each.pid, 'SIGKILL');
  if (postgres === undefined) return;
  const steps = [
    ['SIGINT', orphanPostgresFastMs],
    ['SIGQUIT', orphanPostgresImmediateMs],
  ] as const;
  for (const [signal, waitMs] of steps) {
    if (!lives(postgres)) return;
    signalProcess(postgres.pid, signal);
    await waitFor(() => !lives(postgres), waitMs);
  }
  if (lives(postgres)) signalProcess(postgres.pid, 'SIGKILL');
}

function lives({ pid, started }: Watched): boolean {
  return isAlive(pid, started);
}
