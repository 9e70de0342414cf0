import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readBuild } from '../support/deploy/pipeline.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const SCRIPTS = ['infra', 'infra/deploy'].flatMap((folder) =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.sh'))
    .map((name) => `${folder}/${name}`),
);

/** Read by others. */
const SOURCED = ['words.sh', 'choices.sh', 'region.sh'];
const isSourced = (script: string) => SOURCED.some((name) => script.endsWith(`/${name}`));

const shellcheck = (input: string, ...args: string[]) => {
  const { status, stdout, error } = spawnSync('shellcheck', args, {
    cwd: ROOT,
    encoding: 'utf8',
    input,
  });
  if (error !== undefined) throw new Error('install shellcheck (apt-get install shellcheck)');
  return { status, stdout };
};

it.each(SCRIPTS)('shellcheck finds nothing in %s', (script) => {
  expect(shellcheck('', '--external-sources', script)).toEqual({ status: 0, stdout: '' });
});

it('shellcheck would find something', () => {
  expect(shellcheck('#!/bin/sh\nrm $1\n', '-').stdout).toContain('SC2086');
});

it.each(SCRIPTS.filter((script) => !isSourced(script)))(
  '%s stops at the first failure and at a name that is not set',
  (script) => {
    const text = readFileSync(join(ROOT, script), 'utf8');
    expect(text).toMatch(text.startsWith('#!/bin/sh') ? /^set -eu$/m : /^set -euo pipefail$/m);
  },
);

it.each([
  ['infra/bootstrap.sh', '3 2', 1],
  ['infra/restore.sh', '4 3', 1],
  ['infra/bootstrap.sh', '4 4', 0],
  ['infra/restore.sh', '5 2', 0],
])('%s says at once whether bash %s is too old', (script, version, code) => {
  const lines = readFileSync(join(ROOT, script), 'utf8').split('\n');
  const first = lines[lines.indexOf('set -euo pipefail') + 1] ?? '';
  const pretended = `set -eu; V=(${version}); ${first.replaceAll('BASH_VERSINFO', 'V')}`;
  const { status, stderr } = spawnSync('bash', ['-c', pretended], { encoding: 'utf8' });
  expect(status).toBe(code);
  expect(stderr.includes('needs bash 4.4')).toBe(code === 1);
});

it('each script of the pipeline is a step of it, and each step such a script', () => {
  const steps = new Set(readBuild().steps.map(({ args: [script] }) => script));
  const scripts = SCRIPTS.filter(
    (script) => script.startsWith('infra/deploy/') && !isSourced(script),
  );
  expect([...steps].toSorted()).toEqual(scripts.toSorted());
});

/** Whoever writes into a pipe that nobody reads to its end is killed, and pipefail ends the script. */
it.each(SCRIPTS)('no reader of a pipe in %s ends before its writer', (script) => {
  const text = readFileSync(join(ROOT, script), 'utf8').replaceAll('\\\n', ' ');
  const early = /\|\s*(?:grep\b[^|]*\s-\w*q|head\b|awk\b[^|]*\bexit\b)|\/dev\/stdin/;
  expect(text.split('\n').filter((line) => early.test(line))).toEqual([]);
});
