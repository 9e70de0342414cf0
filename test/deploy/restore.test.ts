import { jest } from '@jest/globals';
import { Operator } from '../support/deploy/pipeline.ts';
import type { World } from '../support/deploy/world.ts';

const RESTORE = 'infra/restore.sh --project=my-relay-123';
const TIME = '2026-11-25T02:55:00Z';
const CLONE = 'distrise-20261125025500';

jest.setTimeout(120_000);

let operator: Operator;
let deployed: World;
beforeAll(async () => {
  const first = await Operator.start();
  await first.type('infra/bootstrap.sh --project=my-relay-123 --yes');
  expect((await first.submit()).code).toBe(0);
  deployed = first.world;
  await first.close();
});
beforeEach(async () => {
  operator = await Operator.start(deployed);
});
afterEach(async () => {
  expect(operator.calls.filter(({ refused }) => refused !== undefined)).toEqual([]);
  await operator.close();
});

const said = (text: string) => text.replaceAll(/\s+/g, ' ');
const holds = (name: string) => operator.world.objects[`gs://my-relay-123-distrise-state/${name}`];
const failOnce = (tool: 'gcloud' | 'terraform', call: string) =>
  operator.change((world) => void world.faults.push({ tool, call, says: 'away', times: 1 }));

it('restoring asks first, says what it will do, and does nothing without a yes', async () => {
  const { code, text } = await operator.type(`${RESTORE} --time=${TIME}`, 'no\n');
  expect(code).not.toBe(0);
  expect(said(text)).toContain(`this makes the instance ${CLONE}, as distrise was at ${TIME}.`);
  expect(said(text)).toContain('distrise stays as it is, and serves until the next build.');
  expect(said(text)).toContain('what was accepted since 2026-11-25T01:55:00Z');
  expect(operator.world).toEqual(deployed);
});

it('restoring leaves the old database, and what runs, as they are', async () => {
  expect((await operator.type(`${RESTORE} --time=${TIME} --yes`)).code).toBe(0);
  const { databases, services, pointed } = operator.world;
  expect(databases).toEqual({
    ...deployed.databases,
    [CLONE]: { from: 'distrise', at: TIME, runs: true },
  });
  expect([services, pointed]).toEqual([deployed.services, deployed.pointed]);
  expect(holds('choices')).toContain(`DATABASE=${CLONE}`);
});

it('Terraform forgets the old database and takes the new one in, and deletes none', async () => {
  await operator.type(`${RESTORE} --time=${TIME} --yes`);
  expect((await operator.submit()).code).toBe(0);
  const lines = operator.calls.flatMap(({ tool, args }) =>
    tool === 'terraform' ? [args.join(' ')] : [],
  );
  expect(
    lines.filter((line) => line.startsWith('state rm')).map((line) => line.split(' ').at(-1)),
  ).toEqual([
    'google_sql_database.main',
    'google_sql_database_instance.main',
    'google_sql_user.service["store"]',
  ]);
  expect(lines.filter((line) => line.includes('database_taken_in=true'))).toHaveLength(1);
  expect(Object.keys(operator.world.databases)).toEqual(['distrise', CLONE]);
  // The builds after it are like any other.
  expect((await operator.submit()).code).toBe(0);
  expect(operator.world.replays).toHaveLength(1);
});

it.each([
  ['cloning', 'gcloud', 'instances clone'],
  ['noting the time', 'gcloud', 'storage cp - .*replay'],
  ['choosing the instance', 'gcloud', 'storage cp - .*choices'],
  ['letting go of the second address', 'terraform', '^state rm .*instance'],
  ['taking in', 'terraform', '^apply .*taken_in=true'],
  ['migrating', 'gcloud', 'jobs execute migrate'],
  ['turning the queue back', 'gcloud', 'seek'],
  ['removing the note', 'gcloud', 'storage rm'],
] as const)('a failure at %s is gone with the same commands again', async (_, tool, call) => {
  failOnce(tool, call);
  const first = await operator.type(`${RESTORE} --time=${TIME} --yes`);
  if (first.code !== 0) await operator.type(`${RESTORE} --time=${TIME} --yes`);
  if ((await operator.submit()).code !== 0) expect((await operator.submit()).code).toBe(0);
  const { pointed, replays, databases } = operator.world;
  expect(pointed['store']).toBe(CLONE);
  expect(replays.at(-1)).toEqual({ since: '2026-11-25T01:55:00Z', into: CLONE });
  expect(Object.keys(databases)).toEqual(['distrise', CLONE]);
  expect(holds('replay')).toBeUndefined();
});

it('two databases are never written at once by shares of the traffic', async () => {
  await operator.type(`${RESTORE} --time=${TIME} --yes`);
  expect((await operator.submit()).code).toBe(0);
  const shares = operator.calls.flatMap(({ args, step }) =>
    step === 'release' && args.includes('relay')
      ? args.filter((arg) => arg.startsWith('--to-revisions='))
      : [],
  );
  expect(shares).toEqual(['--to-revisions=relay-00004-abc=100']);
});

it('a release onto another database that goes back says how to give the events back', async () => {
  await operator.type(`${RESTORE} --time=${TIME} --yes`);
  failOnce('gcloud', 'run jobs deploy health');
  const { text } = await operator.submit();
  expect(said(text)).toMatch(
    /subscriptions seek incoming-store --project=my-relay-123 --time=\d{4}-\d\d-\d\dT[\d:]+Z/,
  );
});

it('a second restore before the build keeps the earlier time to give again', async () => {
  await operator.type(`${RESTORE} --time=2026-11-24T10:00:00Z --yes`);
  await operator.type(`${RESTORE} --time=${TIME} --from=distrise --yes`);
  expect(holds('replay')).toBe('2026-11-24T09:00:00Z\n');
  expect(holds('choices')).toContain(`DATABASE=${CLONE}`);
});

it('a time that the queue does not reach back to is said to lose events', async () => {
  const { text } = await operator.type(`${RESTORE} --time=2026-01-01T00:00:00Z`, 'no\n');
  expect(text).toContain('NOT ALL OF THAT IS LEFT');
});

it.each([
  ['a time that has not been', `${RESTORE} --time=2999-01-01T00:00:00Z`, /has not been yet/],
  ['a time in words', `${RESTORE} --time=yesterday`, /no time such as/],
  [
    'both a time and a backup',
    `${RESTORE} --time=${TIME} --backup=b`,
    /infra\/restore\.sh --project/,
  ],
  [
    'an instance without a time',
    `${RESTORE} --instance=distrise-1`,
    /infra\/restore\.sh --project/,
  ],
  [
    'an instance that is not there',
    `${RESTORE} --instance=distrise-1 --since=${TIME}`,
    /no running/,
  ],
  ['an instance of others', `${RESTORE} --instance=shop --since=${TIME}`, /none of our instances/],
  ['a backup that is not there', `${RESTORE} --backup=b`, /no such backup[\s\S]*backups list/],
])('%s is refused, and nothing is chosen', async (_, command, words) => {
  const { code, text } = await operator.type(`${command} --yes`);
  expect(code).not.toBe(0);
  expect(text).toMatch(words);
  expect(operator.world.objects).toEqual(deployed.objects);
});

it('what cannot be cloned is said with the way by a backup', async () => {
  failOnce('gcloud', 'instances clone');
  const { text } = await operator.type(`${RESTORE} --time=${TIME} --yes`);
  expect(said(text)).toMatch(
    /nothing else was done.*gcloud sql backups list --filter=instance:distrise/,
  );
});
