import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { reasonOf } from '../upstream/failure.ts';
import { CommandFailure, EXIT } from './exit.ts';
import { syncPath } from './file-output.ts';
import type { Counts } from './tally.ts';

/** How far an import into a relay has come: every line up to here has been answered. */
export interface ImportState {
  readonly version: 1;
  readonly relay: string;
  readonly lines: number;
  /** The chain of the last of these lines: another input has another one. */
  readonly chain: string;
  readonly counts: Counts;
}

/**
 * Where the state of an import stands unless a file is named: in the user's state folder, under
 * a name made of the relay and the input's first line. So it is found again after the input was
 * moved, packed, or came through a pipe.
 */
export function statePath(
  env: Readonly<Record<string, string | undefined>>,
  relay: string,
  firstChain: string,
): string {
  const name = createHash('sha256').update(`${relay}\n${firstChain}`).digest('hex').slice(0, 32);
  const folder = env['XDG_STATE_HOME'] || join(env['HOME'] || homedir(), '.local', 'state');
  return join(folder, 'distrise', 'import', `${name}.json`);
}

/** The state in a file; undefined where there is none or it is none of this relay. */
export async function loadState(path: string, relay: string): Promise<ImportState | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new CommandFailure(EXIT.file, `cannot read the state file: ${reasonOf(error)}`, error);
  }
  try {
    const state = JSON.parse(text) as ImportState;
    const isSound =
      state.version === 1 &&
      state.relay === relay &&
      Number.isSafeInteger(state.lines) &&
      typeof state.chain === 'string' &&
      typeof state.counts === 'object';
    return isSound ? state : undefined;
  } catch {
    return undefined;
  }
}

/** Puts the state on disk, whole or not at all. */
export async function saveState(path: string, state: ImportState): Promise<void> {
  const unfinished = `${path}.part`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await open(unfinished, 'w', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(state)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(unfinished, path);
    await syncPath(dirname(path));
  } catch (error) {
    throw new CommandFailure(EXIT.file, `cannot write the state file: ${reasonOf(error)}`, error);
  }
}

export const dropState = (path: string): Promise<void> => rm(path, { force: true });
