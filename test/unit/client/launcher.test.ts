import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { runClient } from '../../support/run-client.ts';
import { startSmallRelay } from '../../support/small-relay.ts';
import { until } from '../../support/until.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const LAUNCHER = join(ROOT, 'functions', 'client', 'distrise.js');

/** A Node of the machine that is too old to run TypeScript, where it has one. */
function oldNode(): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => !folder.includes('node_modules'))
    .map((folder) => join(folder, 'node'))
    .find((node) => {
      if (!existsSync(node)) return false;
      const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout;
      return Number(/^v(\d+)/.exec(version)?.[1]) < 22;
    });
}

const nodes = [...new Set([process.execPath, oldNode() ?? process.execPath])];

describe.each(nodes)('the command, started by %s', (node) => {
  const run = (...args: string[]) =>
    spawnSync(node, [LAUNCHER, ...args], { encoding: 'utf8', cwd: '/' });

  it('runs, and hands on output and exit code', () => {
    const help = run('--help');
    expect(help).toMatchObject({ status: 0, stderr: '' });
    expect(help.stdout).toMatch(/^Usage: distrise/);
    const wrong = run('exprot');
    expect(wrong).toMatchObject({ status: 2, stdout: '' });
    expect(wrong.stderr).toBe("distrise: unknown command 'exprot'\n");
  });

  it.each([
    [['sources', '--help'], 'Usage: distrise sources'],
    [['help', 'provenance'], 'Usage: distrise provenance'],
    [['help', 'publish'], 'Usage: distrise publish'],
  ])('starts what %j belongs to', (args, words) => {
    expect(run(...args)).toMatchObject({
      status: 0,
      stdout: expect.stringContaining(words),
      stderr: '',
    });
  });

  it('names the commands of operators in its help', () => {
    expect(run('--help').stdout).toMatch(/^ {2}sources .*\n {2}provenance /m);
  });

  it.each([
    ['SIGINT', 0],
    ['SIGTERM', 143],
  ] as const)('ends at %s with %i, and leaves nobody behind', async (signal, status) => {
    const relay = await startSmallRelay([]);
    const child = spawn(node, [LAUNCHER, 'subscribe', '--relay', relay.url], {
      detached: true,
      stdio: 'ignore',
    });
    await until(() => relay.said('REQ').length > 0, { what: 'the subscription' });
    // Ctrl-C reaches the whole group, `kill` one process.
    if (child.pid !== undefined) process.kill(signal === 'SIGINT' ? -child.pid : child.pid, signal);
    const [code] = (await once(child, 'exit')) as [number | null];
    expect(code).toBe(status);
    await until(() => relay.clients[0]?.socket.readyState === 3, { what: 'the end of the socket' });
    await relay.close();
  });

  it('ends with the launcher when that is killed', async () => {
    const relay = await startSmallRelay([]);
    const child = spawn(node, [LAUNCHER, 'subscribe', '--relay', relay.url], { stdio: 'ignore' });
    await until(() => relay.said('REQ').length > 0, { what: 'the subscription' });
    child.kill('SIGKILL');
    await until(() => relay.clients[0]?.socket.readyState === 3, { what: 'the end of the socket' });
    await relay.close();
  });
});

it.each(['keygen', 'publish', 'subscribe', 'import', 'export'])(
  '%s explains itself',
  async (name) => {
    const { code, stdout } = await runClient([name, '--help']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Examples:\n {2}/);
  },
);

it('stops without a word when nobody reads its output', () => {
  const script = `"${process.execPath}" "${LAUNCHER}" --help | true; echo "\${PIPESTATUS[0]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
  expect([stdout, stderr]).toEqual(['0\n', '']);
});
