import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');
const git = (cwd: string, ...args: string[]) =>
  execFileSync('git', args, { cwd, encoding: 'utf8' }).split('\n').filter(Boolean);
const ours = git(ROOT, 'ls-files');

/** What lies in the checkout of somebody who works with it. */
const LYING_ABOUT = [
  'node_modules/pg/package.json',
  'infra/.terraform/providers/registry.terraform.io/hashicorp/google/provider',
  'infra/terraform.tfstate.backup',
  'dist/functions/relay/main.js',
  'coverage/lcov.info',
  '.data/postgres/base/1/1249',
  '.deploy/choices',
  'test/bench/results/2026-11-25.json',
  'npm-debug.log',
  'me.key',
  'events.jsonl.gz',
  'notes.jsonl',
  '.env',
];
/** What Git has not, and the build needs. */
const NEEDED = ['infra/operator.tfvars', 'infra/.terraform.lock.hcl'];

let folder: string;
let uploaded: readonly string[];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'distrise-upload-'));
  for (const path of [...ours, ...LYING_ABOUT, ...NEEDED]) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), '');
  }
  cpSync(join(ROOT, '.gcloudignore'), join(folder, '.gcloudignore'));
  git(folder, 'init', '--quiet');
  // gcloud reads the file as Git reads its own.
  uploaded = git(folder, 'ls-files', '--others', '--exclude-from=.gcloudignore');
});
afterAll(() => rmSync(folder, { recursive: true }));

it('nothing that lies about in a checkout is uploaded', () => {
  expect(uploaded.filter((path) => LYING_ABOUT.includes(path))).toEqual([]);
});

it('all that a step of the build reads is uploaded', () => {
  const read = ours.filter((path) =>
    /^(functions|infra|test\/(unit|support|fixtures))\/|^[^/]+\.(json|js|ts|md|yaml)$|^LICENSE$|^\.dockerignore$/.test(
      path,
    ),
  );
  const wanted = [...read, ...NEEDED].filter((path) => !path.startsWith('infra/pictures/'));
  expect(wanted.filter((path) => !uploaded.includes(path))).toEqual([]);
});

it('the upload stays under 8 MB', () => {
  const bytes = uploaded
    .filter((path) => ours.includes(path))
    .reduce((sum, path) => sum + statSync(join(ROOT, path)).size, 0);
  expect(bytes).toBeGreaterThan(1_000_000);
  expect(bytes).toBeLessThan(8_000_000);
});
