import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Operator, readBuild } from '../support/deploy/pipeline.ts';
import type { World } from '../support/deploy/world.ts';

const LOCK = 'gs://my-relay-123-distrise-state/deployment.lock';
const held = (by: string) => ({
  [LOCK]: { generation: 7_000, text: `${by} global 2026-11-25T10:00:00Z` },
});

let operator: Operator;
let ready: World;
beforeAll(async () => {
  operator = await Operator.start();
  await operator.type('infra/bootstrap.sh --project=my-relay-123 --yes');
  ready = operator.world;
}, 60_000);
beforeEach(() => operator.reset(ready));
afterAll(async () => {
  expect(operator.calls.filter(({ refused }) => refused !== undefined)).toEqual([]);
  await operator.close();
});

it('a build that goes well leaves no lock', async () => {
  expect((await operator.submit()).code).toBe(0);
  expect(operator.world.locks).toEqual({});
});

it('a second build ends before it changes anything, and says which one runs', async () => {
  operator.change((world) => {
    Object.assign(world, { locks: held('build-0'), builds: { 'build-0': 'WORKING' } });
  });
  const { code, steps, text } = await operator.submit();
  expect([code, steps]).toEqual([1, ['preflight', 'lock']]);
  expect(text).toContain('The build build-0 changes this project since 2026-11-25T10:00:00Z.');
  expect(text).toContain('gcloud builds cancel build-0 --project=my-relay-123 --region=global');
  expect(text).toContain('infra/rollback.sh --project=my-relay-123 --region=us-central1 --to=held');
  expect(operator.world.locks).toEqual(held('build-0'));
});

it.each(['SUCCESS', 'FAILURE', 'INTERNAL_ERROR', 'TIMEOUT', 'CANCELLED', 'EXPIRED'])(
  'the lock of a build that ended as %s is taken over',
  async (status) => {
    operator.change((world) => {
      Object.assign(world, { locks: held('build-0'), builds: { 'build-0': status } });
    });
    operator.change(({ faults }) => void faults.push({ tool: 'npm', call: 'ci', says: 'no' }));
    const { steps, text } = await operator.submit();
    expect(text).toContain(`Takes over from the build build-0, which has ended (${status}).`);
    expect(steps.at(-1)).toBe('test');
    // Failed after it: its own lock stays, and is the next one's to take over.
    expect(operator.world.locks[LOCK]?.text).toMatch(/^build-2 global /);
  },
);

it('a build that read its choices before somebody chose anew does nothing by them', async () => {
  const image = readBuild().steps.find(({ id }) => id === 'lock')?.name ?? '';
  const read = join(operator.folder, 'checkout', '.deploy');
  mkdirSync(read, { recursive: true });
  const chosen = operator.world.objects['gs://my-relay-123-distrise-state/choices'] ?? '';
  const env = { PROJECT: 'my-relay-123', BUILD: 'build-1', LOCATION: 'global' };
  const take = async (before: string) => {
    operator.reset(ready);
    writeFileSync(join(read, 'choices'), before);
    return operator.runIn(image, 'bash', ['infra/deploy/lock.sh', 'take'], env);
  };
  expect((await take(chosen)).code).toBe(0);
  const { code, text } = await take(chosen.replace('PROFILE=personal', 'PROFILE=public'));
  expect([code, text]).toEqual([1, expect.stringContaining('has changed since this build began')]);
});

it('of two builds that take over in one moment one gets the lock', async () => {
  operator.change((world) => {
    Object.assign(world, { locks: held('build-0'), builds: { 'build-0': 'FAILURE' } });
    world.faults.push({ tool: 'gcloud', call: 'storage cp .*match=7000', says: 'HTTPError 412' });
  });
  const { steps, text } = await operator.submit();
  expect(steps.at(-1)).toBe('lock');
  expect(text).toContain('Another build took the lock in this moment');
});

it('a build of which nothing can be seen keeps its lock, and a person is told how to remove it', async () => {
  operator.change((world) => {
    Object.assign(world, { locks: held('build-lost') });
  });
  const { steps, text } = await operator.submit();
  expect(steps.at(-1)).toBe('lock');
  expect(text).toContain(`gcloud storage rm ${LOCK}`);
});

it('a bucket that cannot be written to stops the build in the words of the tool', async () => {
  operator.change(({ faults }) => {
    faults.push({ tool: 'gcloud', call: 'storage cp', says: 'HTTPError 403: Permission denied' });
  });
  const { steps, text } = await operator.submit();
  expect(steps.at(-1)).toBe('lock');
  expect(text).toMatch(/403: Permission denied[\s\S]*can be neither made nor read/);
});

it('a lock that another build has taken since is not removed', async () => {
  operator.change((world) => {
    Object.assign(world, { locks: held('build-9') });
  });
  const env = { PROJECT: 'my-relay-123', BUILD: 'build-1', LOCATION: 'global' };
  const image = 'gcr.io/google.com/cloudsdktool/google-cloud-cli:slim';
  const { code } = await operator.runIn(image, 'bash', ['infra/deploy/lock.sh', 'leave'], env);
  expect(code).toBe(0);
  expect(operator.world.locks).toEqual(held('build-9'));
});
