import type { DataFolder, ProcessRecord } from './folder.ts';
import { leftoverMs, leftoverPostgresMs } from './limits.ts';
import { findPostmaster } from './postmaster.ts';
import { inspectProcess, isAlive, signalProcess, waitFor } from './processes.ts';

/**
 * Ends what an earlier start left running, and waits until it is gone. Only processes that the
 * folder's own notes name are touched, and only if command line and start time prove that the
 * number still stands for the same process.
 */
export async function endLeftovers(
  folder: DataFolder,
  note: (message: string) => void,
): Promise<void> {
  const proven = folder.records().filter(isProven);
  const postgres = findLeftPostgres(folder, proven);
  const others = proven.filter(({ name }) => name !== 'postgres' && name !== 'guard');
  const found = postgres === undefined ? others : [...others, postgres];
  if (found.length > 0) {
    const names = found.map(({ name, pid }) => `${name} (process ${pid})`).join(', ');
    note(`ending what an earlier start left running: ${names}`);
  }
  await endTogether(others, ['SIGTERM'], leftoverMs);
  if (postgres !== undefined) {
    await endTogether([postgres], ['SIGINT', 'SIGQUIT'], leftoverPostgresMs / 2);
  }
  const guards = proven.filter(({ name }) => name === 'guard');
  await endTogether(guards, ['SIGTERM'], leftoverMs);
  folder.clear();
}

function isProven({ pid, started, command }: ProcessRecord): boolean {
  const facts = inspectProcess(pid);
  return facts?.started === started && facts.command === command;
}

/** A start that was killed at the wrong moment left no note, but PostgreSQL keeps its own. */
function findLeftPostgres(
  folder: DataFolder,
  proven: readonly ProcessRecord[],
): ProcessRecord | undefined {
  const noted = proven.find(({ name }) => name === 'postgres');
  const pid = findPostmaster(folder.cluster);
  const facts = pid === undefined ? undefined : inspectProcess(pid);
  if (pid === undefined || facts === undefined) return noted;
  return { name: 'postgres', pid, ...facts };
}

async function endTogether(
  records: readonly ProcessRecord[],
  signals: readonly NodeJS.Signals[],
  waitMs: number,
): Promise<void> {
  const living = () => records.filter(({ pid, started }) => isAlive(pid, started));
  for (const signal of signals) {
    for (const { pid } of living()) signalProcess(pid, signal);
    if (await waitFor(() => living().length === 0, waitMs)) return;
  }
  for (const { pid } of living()) signalProcess(pid, 'SIGKILL');
  await waitFor(() => living().length === 0, waitMs);
}
