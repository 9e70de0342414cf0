import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bench } from './bench.ts';

/** What the system's data take on disk, by what they are; empty where the folder is not ours. */
export async function diskBytes(bench: Bench): Promise<Record<string, number>> {
  const { directory } = bench;
  if (directory === undefined) return {};
  return {
    'tables and indexes': await folderBytes(join(directory, 'postgres', 'base')),
    'write-ahead log': await folderBytes(join(directory, 'postgres', 'pg_wal')),
    queue: await folderBytes(join(directory, 'pubsub')),
  };
}

/** Blocks that are really taken, as `du` counts. */
async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true }).catch(() => []);
  let bytes = 0;
  for (const entry of entries) {
    // Files come and go while the database runs.
    const file = await stat(join(folder, entry)).catch(() => undefined);
    if (file?.isFile()) bytes += file.blocks * 512;
  }
  return bytes;
}
