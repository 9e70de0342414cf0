import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { Operator } from '../support/deploy/pipeline.ts';
import type { World } from '../support/deploy/world.ts';

/** What is chosen once at bootstrap, and what preflight holds a build against. */

const BOOTSTRAP = 'infra/bootstrap.sh --project=my-relay-123 --yes';
const CHOICES = 'gs://my-relay-123-distrise-state/choices';

jest.setTimeout(120_000);

let operator: Operator;
/** After bootstrap, as a community with a domain; and deployed so. */
let ready: World;
let deployed: World;
beforeAll(async () => {
  const first = await Operator.start();
  await first.type(`${BOOTSTRAP} --profile=community --domain=relay.example.com`);
  ready = first.world;
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

const built = ({ profile, domain }: World = operator.world) => ({ profile, domain });
const applied = () => operator.calls.filter(({ tool }) => tool === 'terraform');

it('a build that is told nothing builds what bootstrap was told', async () => {
  expect(built(deployed)).toEqual({ profile: 'community', domain: 'relay.example.com' });
  expect((await operator.submit()).code).toBe(0);
  expect(built()).toEqual({ profile: 'community', domain: 'relay.example.com' });
});

it('a build that is told the same goes through', async () => {
  const { code } = await operator.submit({ _PROFILE: 'community', _REGION: 'us-central1' });
  expect(code).toBe(0);
});

it.each([
  ['_PROFILE', 'personal', 'PROFILE=community', '--profile=personal'],
  ['_DOMAIN', 'other.example.com', 'DOMAIN=relay.example.com', '--domain=other.example.com'],
  ['_REGION', 'europe-west1', 'REGION=us-central1', '--region=europe-west1'],
  ['_ENVIRONMENT', 'staging', 'ENVIRONMENT=distrise', '--environment=staging'],
])(
  'another %s is refused, with what stands, what was given and what to do',
  async (name, given, stands, flag) => {
    const { code, steps, text } = await operator.submit({ [name]: given });
    expect([code, steps]).toEqual([1, ['preflight']]);
    expect(text).toContain(`chosen: ${stands}    given: ${name}=${given}`);
    expect(text).toContain('leave the substitution out: gcloud builds submit');
    expect(text).toContain(`infra/bootstrap.sh --project=my-relay-123 ${flag}`);
    expect(text).toContain('serves on');
    expect(applied()).toEqual([]);
  },
);

it('bootstrap with another profile says so, and the next build is of that one', async () => {
  const { text } = await operator.type(`${BOOTSTRAP} --profile=public`);
  expect(text).toContain('CHANGES PROFILE: "community" becomes "public"');
  expect((await operator.submit()).code).toBe(0);
  expect(built()).toEqual({ profile: 'public', domain: 'relay.example.com' });
});

it('a build ends with what the domain still lacks', async () => {
  const { text } = await operator.submit();
  expect(text).toContain('wss://relay.example.com, once its A record says 203.0.113.7');
  expect(text).toContain('only_load_balancer = true');
});

it('bootstrap with an empty domain takes the domain away', async () => {
  await operator.type(`${BOOTSTRAP} --domain=`);
  await operator.submit();
  expect(built()).toEqual({ profile: 'community', domain: '' });
});

it('bootstrap without flags leaves all as it was chosen', async () => {
  expect((await operator.type(BOOTSTRAP)).code).toBe(0);
  expect(operator.world.objects).toEqual(deployed.objects);
});

it('bootstrap refuses another region or environment of what is deployed', async () => {
  for (const flag of ['--region=europe-west1', '--environment=staging']) {
    const { code, text } = await operator.type(`${BOOTSTRAP} ${flag}`);
    expect(code).not.toBe(0);
    expect(text).toMatch(/that stays[\s\S]*another project/);
  }
  operator.reset(ready);
  expect((await operator.type(`${BOOTSTRAP} --environment=staging`)).code).toBe(0);
});

it('a project that was deployed before choices were kept must be told all of them', async () => {
  operator.change((world) => void delete world.objects[CHOICES]);
  expect((await operator.submit()).text).toMatch(/stands nowhere[\s\S]*bootstrap\.sh/);
  expect((await operator.type(BOOTSTRAP)).text).toContain('Say it once');
  const all = '--region=us-central1 --environment=distrise --profile=public --domain=';
  expect((await operator.type(`${BOOTSTRAP} ${all}`)).code).toBe(0);
  expect((await operator.submit()).code).toBe(0);
});

it('choices that hold something else than names are not taken in', async () => {
  operator.change((world) => {
    world.objects[CHOICES] = 'PROFILE=community\nDOMAIN=$(touch broken)\n';
  });
  const { code, text } = await operator.submit();
  expect(code).not.toBe(0);
  expect(text).toContain('has a line that is none of');
});

/** What a project may lack, and how preflight says it. */
const LACKS: readonly [string, (world: World) => void, RegExp][] = [
  [
    'Cloud Run in the region',
    (world) => {
      world.regions.run = ['europe-west1'];
    },
    /Cloud Run has no region us-central1; it has: europe-west1[\s\S]*another region/,
  ],
  [
    'Cloud Scheduler in the region',
    (world) => {
      world.regions.scheduler = ['europe-west1'];
    },
    /Cloud Scheduler has no region us-central1/,
  ],
  [
    'Cloud SQL in the region',
    (world) => {
      world.regions.sql = ['europe-west1'];
    },
    /Cloud SQL has no region us-central1/,
  ],
  [
    'billing',
    (world) => void Object.assign(world, { billing: false }),
    /Billing is off[\s\S]*projects link/,
  ],
  [
    'room for a network',
    (world) => void Object.assign(world, { networks: [], quotas: { NETWORKS: [5, 5] } }),
    /quota NETWORKS .* is used up[\s\S]*iam-admin\/quotas/,
  ],
  [
    'room for what a domain needs',
    (world) => void Object.assign(world, { networks: [], quotas: { SECURITY_POLICIES: [0, 0] } }),
    /quota SECURITY_POLICIES .* is used up/,
  ],
];
it.each(LACKS)(
  'a project that lacks %s is not touched, and told what to do',
  async (_, lack, words) => {
    operator.change(lack);
    const { steps, text } = await operator.submit();
    expect(steps).toEqual(['preflight']);
    expect(text).toMatch(words);
    expect(text).toContain('serves on');
  },
);

it('a quota that our own network fills does not stop an upgrade', async () => {
  operator.change((world) => {
    world.quotas = { NETWORKS: [5, 5] };
  });
  expect((await operator.submit()).code).toBe(0);
});

it('bootstrap finds out first where a product is not', async () => {
  operator.reset({ ...ready, objects: {} });
  operator.change((world) => {
    world.regions.artifacts = ['europe-west1'];
  });
  const { code, text } = await operator.type(BOOTSTRAP);
  expect(code).not.toBe(0);
  expect(text).toMatch(/Artifact Registry has no region us-central1[\s\S]*another region/);
});

it('bootstrap stops without billing, before it turns anything on', async () => {
  operator.change((world) => {
    world.billing = false;
  });
  expect((await operator.type(BOOTSTRAP)).text).toContain('Billing is off');
  expect(operator.calls.filter(({ args }) => args.includes('enable'))).toEqual([]);
});

describe('a machine that the operator chose', () => {
  const choose = (settings: string) =>
    writeFileSync(join(operator.folder, 'checkout', 'infra', 'operator.tfvars'), settings);

  it('is looked for in the region', async () => {
    choose('database = {\n  tier = "db-perf-optimized-N-8" # large\n}\n');
    const { steps, text } = await operator.submit();
    expect(steps).toEqual(['preflight']);
    expect(text).toContain('Cloud SQL has no machine db-perf-optimized-N-8 in us-central1');
  });

  it('may have a size of its own, which Google does not list', async () => {
    choose('database = { tier = "db-custom-6-23040" }\n');
    expect((await operator.submit()).code).toBe(0);
  });
});

it('a profile with the worker needs worker pools in the region', async () => {
  await operator.type(`${BOOTSTRAP} --profile=public`);
  operator.change((world) => {
    world.faults = [{ tool: 'gcloud', call: 'worker-pools list', says: 'not available' }];
  });
  expect((await operator.submit()).text).toMatch(/no worker pools[\s\S]*follow = false/);
});
