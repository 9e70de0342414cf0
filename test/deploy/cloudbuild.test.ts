import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { parse } from 'yaml';
import { COMMANDS } from '../support/deploy/commands.ts';
import { readBuild } from '../support/deploy/pipeline.ts';
import type { JsonObject } from '../support/monitoring/json.ts';
import { shapeFaults } from '../support/monitoring/protobuf.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const require = createRequire(import.meta.url);
const BUILD = protobuf.Root.fromJSON(
  require('@google-cloud/cloudbuild/build/protos/protos.json'),
).lookupType('google.devtools.cloudbuild.v1.Build');
const text = readFileSync(join(ROOT, 'cloudbuild.yaml'), 'utf8');
const build = parse(text) as JsonObject;
const plain = readBuild();

/** What Cloud Build fills in by itself, of what we may use with `gcloud builds submit`. */
const BUILT_IN = ['PROJECT_ID', 'BUILD_ID', 'PROJECT_NUMBER', 'LOCATION'];

const used = (given: string): string[] =>
  [...given.matchAll(/(?<!\$)\$\{?([A-Z_][A-Z0-9_]*)\}?/g)].map(([, name = '']) => name);

it('Cloud Build itself takes cloudbuild.yaml', () => {
  expect(shapeFaults(BUILD, build)).toEqual([]);
});

it.each([
  ['a field that is not there', { stepz: [] }],
  ['a field of a step that is not there', { steps: [{ name: 'x', entryPoint: 'bash' }] }],
  ['a number for a text', { substitutions: { _WATCH_SECONDS: 300 } }],
  ['a word that is none of the list', { options: { logging: 'CLOUD_LOGGING' } }],
  ['a time without a unit', { timeout: '7200' }],
])('Cloud Build would refuse %s', (_, change) => {
  expect(shapeFaults(BUILD, { ...build, ...change } as JsonObject)).not.toEqual([]);
});

it('each substitution that is used is defined, and each defined one is used', () => {
  const { substitutions, ...rest } = build;
  const names = used(JSON.stringify(rest));
  const known = Object.keys(substitutions as JsonObject);
  expect(names.filter((name) => ![...BUILT_IN, ...known].includes(name))).toEqual([]);
  expect(known.filter((name) => !names.includes(name))).toEqual([]);
});

it('the substitutions are named as Cloud Build wants them', () => {
  for (const name of Object.keys(plain.substitutions)) expect(name).toMatch(/^_[A-Z0-9_]+$/);
});

it('the scripts read just the variables that the steps get', () => {
  const folder = join(ROOT, 'infra', 'deploy');
  const scripts = readdirSync(folder)
    .filter((name) => name.endsWith('.sh'))
    .map((name) => readFileSync(join(folder, name), 'utf8'));
  const own = new Set(
    scripts.flatMap((script) => [...script.matchAll(/\b([A-Z_]+)=/g)].map(([, name = '']) => name)),
  );
  const read = new Set(scripts.flatMap(used).filter((name) => !own.has(name)));
  // Has a default where it stands; of the shell itself; chosen by infra/restore.sh alone.
  for (const name of ['RETRY_SECONDS', 'PWD', 'DATABASE']) read.delete(name);
  const given = plain.options.env.map((each) => each.split('=')[0] ?? '');
  expect([...read].toSorted()).toEqual(given.toSorted());
});

it('the steps keep their order: what can fail without harm comes first', () => {
  expect(plain.steps.map(({ id }) => id)).toEqual([
    ...['preflight', 'lock', 'test', 'image', 'hold', 'tables', 'migrate', 'terraform'],
    ...['release', 'replay', 'alerts', 'unlock', 'tell'],
  ]);
});

it('a build that is told nothing does what was chosen', () => {
  const { _WATCH_SECONDS, ...chosen } = plain.substitutions;
  expect([...new Set(Object.values(chosen))]).toEqual(['']);
});

it('the longest watch fits into the time of a build, and so none is cut off at a share of the traffic', () => {
  const preflight = readFileSync(join(ROOT, 'infra', 'deploy', 'preflight.sh'), 'utf8');
  const longest = Number(/WATCH_SECONDS -le (\d+)/.exec(preflight)?.[1]);
  const seconds = Number.parseInt(String(build['timeout']), 10);
  // 10, 50 and 100 %, then the functions; each may take so much longer, and has a check before it.
  expect(seconds).toBeGreaterThanOrEqual(4 * (longest + 300 + 300) + 3_600);
});

it('the build runs as the account that bootstrap makes', () => {
  const [, account] = /serviceAccounts\/([\w-]+)@/.exec(String(build['serviceAccount'])) ?? [];
  const bootstrap = readFileSync(join(ROOT, 'infra', 'bootstrap.sh'), 'utf8');
  expect(bootstrap).toContain(`  account ${account} `);
});

it('gcloud and Terraform of the pipeline are those whose commands the tests know', () => {
  const images = [...new Set(plain.steps.map(({ name }) => name))];
  const [sdk, , terraform] = COMMANDS.source.map((each) => /\d+\.\d+\.\d+/.exec(each)?.[0]);
  expect(images).toContain(`gcr.io/google.com/cloudsdktool/google-cloud-cli:${sdk}-slim`);
  expect(images).toContain(`hashicorp/terraform:${terraform}`);
  // Two that have no other tag for sure: the newest of Node 24 for tests, and Cloud Build's own.
  const floating = images.filter((image) => !/:\d+\.\d+\.\d+/.test(image));
  expect(floating.toSorted()).toEqual(['gcr.io/cloud-builders/docker', 'node:24']);
  const versions = readFileSync(join(ROOT, 'infra', 'versions.tf'), 'utf8');
  expect(versions).toContain(`required_version = ">= ${terraform?.replace(/\.\d+$/, '')}"`);
});
