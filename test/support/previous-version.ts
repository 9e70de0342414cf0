import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What operators run before they upgrade to this version: to be raised with every release. */
export const PREVIOUS_VERSION = '7be872c2d957b626d25afdbd6ddb5fb19a3fe5fa';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The sources of a version, ready to run. */
export interface SourceTree {
  readonly root: string;
  remove(): void;
}

/** This version. */
export const thisVersion: SourceTree = { root: ROOT, remove: () => undefined };

/** True where the history of this checkout goes back so far: a shallow clone has none. */
export function hasPreviousVersion(): boolean {
  try {
    execFileSync('git', ['cat-file', '-e', `${PREVIOUS_VERSION}^{commit}`], {
      cwd: ROOT,
      stdio: 'ignore',
    });
    return true;
  } catch {
    return false;
  }
}

/** The sources of the previous version in a folder of their own, with this version's packages. */
export function previousVersion(): SourceTree {
  const root = mkdtempSync(join(tmpdir(), 'distrise-previous-'));
  const archive = execFileSync('git', ['archive', PREVIOUS_VERSION, 'functions', 'package.json'], {
    cwd: ROOT,
    maxBuffer: 256 * 1_048_576,
  });
  execFileSync('tar', ['-x', '-C', root], { input: archive });
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  return { root, remove: () => rmSync(root, { recursive: true, force: true }) };
}
