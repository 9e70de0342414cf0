import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * What operators run before they upgrade to this version: to be raised with every release
 * (infra/README.md). The environment may name another one to come from.
 */
export const PREVIOUS_VERSION =
  process.env['PREVIOUS_VERSION'] ?? 'e6e7ac04220a033869b0e4a40a61d1d8c4ace38b';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** As people name it. */
export const PREVIOUS_NAME = `git ${PREVIOUS_VERSION.slice(0, 7)}`;

/** The sources of a version, ready to run. */
export interface SourceTree {
  readonly root: string;
  remove(): void;
}

/** This version. */
export const thisVersion: SourceTree = { root: ROOT, remove: () => undefined };

const git = (...args: string[]): Buffer =>
  execFileSync('git', args, {
    cwd: ROOT,
    maxBuffer: 256 * 1_048_576,
    stdio: ['ignore', 'pipe', 'ignore'],
  });

function succeeds(...args: string[]): boolean {
  try {
    git(...args);
    return true;
  } catch {
    return false;
  }
}

/**
 * A test that begins with the previous version. Where the history of this checkout does not go back
 * so far it is skipped and says so, since jest does not name the tests of a file that it skips whole.
 */
export function itFromPreviousVersion(
  name: string,
  test: () => Promise<void>,
  timeoutMs: number,
): void {
  if (succeeds('cat-file', '-e', `${PREVIOUS_VERSION}^{commit}`)) {
    it(name, test, timeoutMs);
    return;
  }
  const why = `NOT SHOWN: no history back to ${PREVIOUS_NAME} (git fetch --unshallow)`;
  it.skip(`${name} (${why})`, test);
  process.stderr.write(`${name}: ${why}\n`);
}

/** True where a commit is the previous version or came before it. */
export const isInPreviousVersion = (commit: string): boolean =>
  succeeds('merge-base', '--is-ancestor', commit, PREVIOUS_VERSION);

/**
 * The previous version in a folder of its own, with this version's packages where they are as good,
 * else with its own from the registry.
 */
export function previousVersion(): SourceTree {
  const root = mkdtempSync(join(tmpdir(), 'distrise-previous-'));
  const remove = () => rmSync(root, { recursive: true, force: true });
  try {
    execFileSync('tar', ['-x', '-C', root], { input: git('archive', PREVIOUS_VERSION) });
    if (packagesServe(root)) symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
    else execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: root, stdio: 'pipe' });
  } catch (error) {
    remove();
    throw error;
  }
  return { root, remove };
}

type Packages = Readonly<Record<string, string>>;

/** True where this version has every package of the other in the same major version. */
function packagesServe(root: string): boolean {
  const [theirs, ours] = [packagesOf(root), packagesOf(ROOT)];
  return Object.entries(theirs).every(
    ([name, version]) => majorOf(ours[name]) === majorOf(version),
  );
}

function packagesOf(root: string): Packages {
  const text = readFileSync(join(root, 'package.json'), 'utf8');
  const { dependencies, devDependencies } = JSON.parse(text) as Record<string, Packages>;
  return { ...dependencies, ...devDependencies };
}

const majorOf = (version: string | undefined): string | undefined => version?.split('.')[0];

/** Files that a version has; throws where one is missing, so that nobody thinks that it ran. */
export function filesOf({ root }: SourceTree, paths: readonly string[]): string[] {
  return paths.map((path) => {
    const file = join(root, path);
    if (!existsSync(file)) throw new Error(`${PREVIOUS_NAME} has no ${path}`);
    return file;
  });
}
