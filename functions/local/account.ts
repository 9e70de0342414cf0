import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** A user of the operating system. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** A command line, and the user to start it as (undefined: the present one). */
export interface Invocation {
  readonly command: string;
  readonly args: readonly string[];
  readonly owner: Account | undefined;
}

/**
 * PostgreSQL refuses to run as root, so root lends it the account `postgres`, which is made if it
 * is missing. Everybody else runs it as themselves (undefined).
 */
export async function postgresAccount(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const found = await findAccount('postgres');
  if (found !== undefined) return found;
  try {
    await execute('groupadd', ['--force', 'postgres']);
    await execute('useradd', ['--gid', 'postgres', '--no-create-home', 'postgres']);
  } catch (error) {
    throw new Error(
      'PostgreSQL does not run as root, and the user postgres could not be made for it: ' +
        `${(error as Error).message.trim()}. Start Distrise as an ordinary user.`,
    );
  }
  const made = await findAccount('postgres');
  if (made === undefined) throw new Error('The user postgres was made but cannot be found.');
  return made;
}

async function findAccount(name: string): Promise<Account | undefined> {
  try {
    const [uid, gid] = await Promise.all([
      execute('id', ['-u', name]),
      execute('id', ['-g', name]),
    ]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    return undefined;
  }
}

/**
 * How to run a program as the account. Where the account cannot reach all of the paths (root's home
 * and folders made by `mktemp -d` are closed to others), it keeps, of root's powers, the one to
 * pass closed folders.
 */
export async function runAs(
  account: Account | undefined,
  paths: readonly string[],
): Promise<(command: string, args: readonly string[]) => Invocation> {
  if (account === undefined || (await reaches(account, paths))) {
    return (command, args) => ({ command, args, owner: account });
  }
  const prefix = [
    `--reuid=${account.uid}`,
    `--regid=${account.gid}`,
    '--clear-groups',
    // Without it, access(2) would ask what the account alone may do.
    '--securebits=+no_setuid_fixup',
    '--inh-caps=+dac_override',
    '--ambient-caps=+dac_override',
  ];
  try {
    await execute('setpriv', [...prefix, 'true']);
  } catch {
    throw new Error(
      `PostgreSQL runs as the user postgres when root starts it, and that user cannot reach ` +
        `${paths.join(' or ')}. Keep both in folders that others may pass (chmod o+x), or start ` +
        'Distrise as an ordinary user.',
    );
  }
  return (command, args) => ({
    command: 'setpriv',
    args: [...prefix, command, ...args],
    owner: undefined,
  });
}

async function reaches(account: Account, paths: readonly string[]): Promise<boolean> {
  const script = 'for path do test -x "$path" || exit 1; done';
  try {
    await execute('/bin/sh', ['-c', script, 'sh', ...paths], { ...account, cwd: '/' });
    return true;
  } catch {
    return false;
  }
}
