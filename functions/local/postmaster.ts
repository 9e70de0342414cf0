import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { inspectProcess, waitFor } from './processes.ts';

/** What a PostgreSQL server writes about itself into its data folder. */
interface PostmasterLock {
  readonly pid: number;
  /** Identifies the shared memory that its server processes are attached to. */
  readonly sharedMemoryId: string | undefined;
  readonly status: string | undefined;
}

function readLock(cluster: string): PostmasterLock | undefined {
  try {
    const lines = readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n');
    const pid = Math.abs(Number(lines[0]));
    if (!Number.isSafeInteger(pid) || pid === 0) return undefined;
    const sharedMemoryId = lines[6]?.trim().split(/\s+/)[1];
    return { pid, sharedMemoryId, status: lines[7]?.trim() };
  } catch {
    return undefined;
  }
}

/** True once the server with this process id takes connections. */
export function isPostmasterReady(cluster: string, pid: number): boolean {
  const lock = readLock(cluster);
  return lock?.pid === pid && lock.status === 'ready';
}

/** The process id of a server that runs on this very cluster, proven by its command line. */
export function findPostmaster(cluster: string): number | undefined {
  const pid = readLock(cluster)?.pid;
  if (pid === undefined) return undefined;
  const command = inspectProcess(pid)?.command ?? '';
  return command.includes('postgres') && command.includes(`-D ${cluster} `) ? pid : undefined;
}

/**
 * PostgreSQL itself passes over the lock of a dead server, but believes it if its process number
 * has been given to some other program of the same user (usual in containers, where numbers are
 * small). Then the lock is taken away here, after the last process of the dead server has let go of
 * the shared memory, for a second server beside those would damage the data.
 */
export async function clearPostmasterLock(cluster: string): Promise<void> {
  const lock = readLock(cluster);
  if (lock === undefined) return;
  await waitFor(() => !isShared(lock.sharedMemoryId), 5_000);
  if (isShared(lock.sharedMemoryId)) {
    throw new Error(`processes of an earlier PostgreSQL server still use ${cluster}`);
  }
  const strangerHasPid =
    inspectProcess(lock.pid) !== undefined && findPostmaster(cluster) === undefined;
  if (strangerHasPid) rmSync(join(cluster, 'postmaster.pid'), { force: true });
}

/** True while a process is attached. Linux tells it; elsewhere PostgreSQL's own check must do. */
function isShared(id: string | undefined): boolean {
  if (process.platform !== 'linux' || id === undefined) return false;
  try {
    const rows = readFileSync('/proc/sysvipc/shm', 'utf8').split('\n').slice(1);
    const row = rows.map((each) => each.trim().split(/\s+/)).find((each) => each[1] === id);
    return row !== undefined && Number(row[6]) > 0;
  } catch {
    return false;
  }
}
