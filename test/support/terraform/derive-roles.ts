/**
 * Derives google-roles.json, the predefined roles of the products that we use, what those that we
 * grant allow, and what the methods that the deployer calls ask for, from a daily copy of Google's
 * own answer to `iam.roles.list` and of its pages on methods:
 *
 *   git clone https://github.com/iann0036/iam-dataset DIRECTORY
 *   npx node test/support/terraform/derive-roles.ts DIRECTORY
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { methodsNamed } from './deployer-needs.ts';
import { INFRA, readTerraform } from './read.ts';
import { linesOf, type Roles } from './roles.ts';
import { stringsIn } from './strings.ts';

const PRODUCTS = [
  'artifactregistry',
  'billing',
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

const bootstrap = readFileSync(join(INFRA, 'bootstrap.sh'), 'utf8');
/** Of the billing account, by the README. */
const BUDGETS = 'roles/billing.costsManager';
const granted = new Set(
  [
    ...stringsIn(await readTerraform()),
    ...linesOf('roles.txt'),
    ...(bootstrap.match(/roles\/\w+\.\w+/g) ?? []),
    BUDGETS,
  ].filter((text) => names.includes(text)),
);
const permissions = [...granted].toSorted().map((role) => {
  const text = git('show', `HEAD:gcp/roles/${role.slice('roles/'.length)}.json`);
  const { includedPermissions } = JSON.parse(text) as { includedPermissions: string[] };
  return [role, includedPermissions] as const;
});
interface Explained {
  readonly methods: Readonly<
    Record<string, { readonly permissions?: readonly { name: string }[] }>
  >;
}
const map = JSON.parse(git('show', 'HEAD:gcp/map.json')) as {
  readonly api: Readonly<Record<string, Explained>>;
};
const methods = [...new Set(methodsNamed())].toSorted().map((method) => {
  const { permissions: asked = [] } = map.api[method.split('.')[0] ?? '']?.methods[method] ?? {};
  if (asked.length === 0) throw new Error(`nobody explains ${method}: name its permissions`);
  return [method, asked.map(({ name }) => name).toSorted()] as const;
});
const roles: Roles = {
  source: 'https://github.com/iann0036/iam-dataset',
  date: git('log', '-1', '--format=%cs').trim(),
  names,
  permissions: Object.fromEntries(permissions),
  methods: Object.fromEntries(methods),
};
const file = join(import.meta.dirname, 'google-roles.json');
writeFileSync(file, `${JSON.stringify(roles)}\n`);
process.stdout.write(`${file}: ${names.length} roles, ${permissions.length} granted\n`);
