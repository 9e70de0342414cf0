/**
 * Derives google-roles.json, the predefined roles of the products that we use and what those that
 * we grant allow, from a daily copy of Google's own answer to `iam.roles.list`:
 *
 *   git clone https://github.com/iann0036/iam-dataset DIRECTORY
 *   npx node test/support/terraform/derive-roles.ts DIRECTORY
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readTerraform } from './read.ts';
import type { Roles } from './roles.ts';
import { stringsIn } from './strings.ts';

const PRODUCTS = [
  'artifactregistry',
  'cloudbuild',
  'cloudscheduler',
  'cloudsql',
  'compute',
  'iam',
  'logging',
  'monitoring',
  'pubsub',
  'resourcemanager',
  'run',
  'secretmanager',
  'servicenetworking',
  'serviceusage',
  'storage',
];

const [directory] = process.argv.slice(2);
if (directory === undefined) throw new Error('usage: derive-roles.ts DIRECTORY-OF-THE-DATASET');
const git = (...args: string[]): string =>
  execFileSync('git', ['-C', directory, ...args], { encoding: 'utf8', maxBuffer: 1 << 28 });

const names = git('ls-tree', '--name-only', 'HEAD', 'gcp/roles/')
  .split('\n')
  .map((path) => /gcp\/roles\/(([a-z]+)(?:\.\w+)+)\.json$/.exec(path))
  .filter((found) => PRODUCTS.includes(found?.[2] ?? ''))
  .map((found) => `roles/${found?.[1]}`);

const granted = new Set(stringsIn(await readTerraform()).filter((text) => names.includes(text)));
const permissions = [...granted].toSorted().map((role) => {
  const text = git('show', `HEAD:gcp/roles/${role.slice('roles/'.length)}.json`);
  const { includedPermissions } = JSON.parse(text) as { includedPermissions: string[] };
  return [role, includedPermissions] as const;
});
const roles: Roles = {
  source: 'https://github.com/iann0036/iam-dataset',
  date: git('log', '-1', '--format=%cs').trim(),
  names,
  permissions: Object.fromEntries(permissions),
};
const file = join(import.meta.dirname, 'google-roles.json');
writeFileSync(file, `${JSON.stringify(roles)}\n`);
process.stdout.write(`${file}: ${names.length} roles, ${permissions.length} granted\n`);
