import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { Operator } from '../support/deploy/pipeline.ts';
import type { World } from '../support/deploy/world.ts';

const INFRA = join(import.meta.dirname, '..', '..', 'infra');
const linesOf = (file: string) => readFileSync(join(INFRA, file), 'utf8').trimEnd().split('\n');
const FIRST_WORD = /^\S+/;
const namesOf = (file: string) => linesOf(file).map((line) => FIRST_WORD.exec(line)?.[0] ?? '');
const textOf = (file: string) => readFileSync(join(INFRA, file), 'utf8');
const quoted = (text: string, pattern: RegExp) =>
  [...new Set([...text.matchAll(pattern)].map(([, found = '']) => found))].toSorted();

jest.setTimeout(120_000);

let operator: Operator;
beforeEach(async () => {
  operator = await Operator.start();
});
afterEach(async () => {
  expect(operator.calls.filter(({ refused }) => refused !== undefined)).toEqual([]);
  await operator.close();
});

const BOOTSTRAP = 'infra/bootstrap.sh --project=my-relay-123';
const changes = () =>
  operator.calls.filter(({ args }) => !/describe|get|storage ls|storage cat/.test(args.join(' ')));

it('bootstrap makes APIs, accounts, roles, buckets and repository, and says the next command', async () => {
  const { code, text } = await operator.type(`${BOOTSTRAP} --yes`);
  expect(code).toBe(0);
  expect(text).toContain('gcloud builds submit --project=my-relay-123\n');
  const { apis, roles, customRoles, accounts, buckets, repositories } = operator.world;
  expect(apis.toSorted()).toEqual(linesOf('deploy/apis.txt').toSorted());
  expect(roles).toEqual([...linesOf('deploy/roles.txt'), 'roles/resourcemanager.projectIamAdmin']);
  expect(accounts).toEqual(
    ['deployer', ...namesOf('deploy/accounts.txt')].map(
      (name) => `distrise-${name}@my-relay-123.iam.gserviceaccount.com`,
    ),
  );
  expect(Object.keys(customRoles)).toEqual(namesOf('deploy/custom-roles.txt'));
  expect(buckets).toEqual([
    'gs://my-relay-123-distrise-state',
    'gs://my-relay-123_cloudbuild',
    'gs://my-relay-123-distrise-archive',
  ]);
  expect(repositories).toEqual(['distrise']);
});

it('bootstrap run again changes nothing that is there', async () => {
  await operator.type(`${BOOTSTRAP} --yes`);
  const before = operator.world;
  expect((await operator.type(`${BOOTSTRAP} --yes`)).code).toBe(0);
  expect(operator.world).toEqual(before);
});

it('bootstrap waits for an account that is not known everywhere yet', async () => {
  operator.change((world) => {
    world.faults = [
      'accounts add-iam-policy-binding distrise-relay',
      'projects add-iam-policy',
    ].map((call) => ({ tool: 'gcloud', call, says: 'Service account does not exist', times: 2 }));
  });
  expect((await operator.type(`${BOOTSTRAP} --yes`)).code).toBe(0);
  const bound = operator.calls.filter(({ args }) => args.includes('add-iam-policy-binding'));
  expect(bound.filter(({ failed }) => failed)).toHaveLength(4);
});

it('bootstrap goes on wherever it was interrupted', async () => {
  const empty = operator.world;
  await operator.type(`${BOOTSTRAP} --yes`);
  const whole = operator.world;
  // One of each kind that changes something: what a loop does twice it does alike.
  const kinds = new Set(changes().map(({ args }) => args.slice(0, 3).join(' ')));
  expect(kinds.size).toBeGreaterThan(8);
  for (const kind of kinds) {
    operator.reset(empty);
    operator.change((world) => {
      world.faults.push({ tool: 'gcloud', call: `^${kind}`, says: 'away', times: 1 });
    });
    await operator.type(`${BOOTSTRAP} --yes`);
    expect({ kind, ...(await operator.type(`${BOOTSTRAP} --yes`)) }).toMatchObject({ code: 0 });
    expect({ ...operator.world, faults: [] }).toEqual(whole);
  }
}, 600_000);

it('bootstrap takes from the deployer what an earlier version gave, and mends custom roles', async () => {
  await operator.type(`${BOOTSTRAP} --yes`);
  const before = operator.world;
  operator.change((world) => {
    world.roles.push('roles/iam.roleAdmin');
    world.customRoles['distriseSweep'] = 'pubsub.subscriptions.list';
  });
  expect((await operator.type(`${BOOTSTRAP} --yes`)).code).toBe(0);
  expect(operator.world).toEqual(before);
});

it('bootstrap asks first, and does nothing without a yes', async () => {
  const { code, text } = await operator.type(BOOTSTRAP, 'no\n');
  expect(code).not.toBe(0);
  expect(text).toContain('Nothing was done.');
  expect(changes()).toEqual([]);
  expect((await operator.type(BOOTSTRAP, 'yes\n')).code).toBe(0);
});

it.each([
  [
    'a project that is not there',
    'infra/bootstrap.sh --project=other-123 --yes',
    /not there or not yours/,
  ],
  [
    'a profile that is not there',
    `${BOOTSTRAP} --profile=huge --yes`,
    /no profile "huge"[\s\S]*Profiles: community personal public/,
  ],
  ['a flag that it does not know', `${BOOTSTRAP} --purge`, /infra\/bootstrap\.sh --project=ID/],
  ['no project', 'infra/bootstrap.sh --yes', /infra\/bootstrap\.sh --project=ID/],
  [
    'a project that is a number of words',
    'infra/bootstrap.sh --project="a b" --yes',
    /--project=ID/,
  ],
])('bootstrap with %s says so and changes nothing', async (_, command, words) => {
  const { code, text } = await operator.type(command);
  expect(code).not.toBe(0);
  expect(text).toMatch(words);
  expect(changes()).toEqual([]);
});

it('bootstrap says what to do where the APIs cannot be enabled', async () => {
  operator.change((world) => {
    world.faults.push({ tool: 'gcloud', call: 'services enable', says: 'billing' });
  });
  expect((await operator.type(`${BOOTSTRAP} --yes`)).text).toMatch(/billing account.*owner/);
});

describe('taking it down', () => {
  let deployed: World;
  beforeAll(async () => {
    const first = await Operator.start();
    await first.type(`${BOOTSTRAP} --yes`);
    await first.submit();
    deployed = first.world;
    await first.close();
  }, 120_000);
  beforeEach(() => operator.reset(deployed));

  it('stops what runs and keeps database, buckets and keys', async () => {
    const { code } = await operator.type(`${BOOTSTRAP} --destroy --yes`);
    expect(code).toBe(0);
    const { services, jobs, schedules, databases, alive, buckets } = operator.world;
    expect([services, jobs, schedules, alive]).toEqual([{}, {}, [], true]);
    expect(databases).toEqual({ distrise: { runs: false } });
    expect(buckets).toHaveLength(3);
    const words = operator.calls.map(({ args }) => args.join(' '));
    expect(
      words.filter((call) => /(sql|storage|secrets|pubsub|kms) .*(delete|rm) /.test(call)),
    ).toEqual([]);
  });

  it('goes on after each point of failure, and says so where it stops', async () => {
    const before = operator.world;
    const called = operator.calls.length;
    await operator.type(`${BOOTSTRAP} --destroy --yes`);
    const whole = operator.world;
    const count = operator.calls.length - called;
    expect(count).toBeGreaterThan(15);
    for (let after = 0; after < count; after += 1) {
      operator.reset(before);
      operator.change((world) => {
        world.faults = [{ tool: 'gcloud', call: '', says: 'away', after, times: 1 }];
      });
      const first = await operator.type(`${BOOTSTRAP} --destroy --yes`);
      if (first.code === 0) expect({ ...operator.world, faults: [] }).toEqual(whole);
      else expect(first.text).toMatch(/same command again|cannot be read|not there or not yours/);
      expect((await operator.type(`${BOOTSTRAP} --destroy --yes`)).code).toBe(0);
      expect({ ...operator.world, faults: [] }).toEqual(whole);
    }
  }, 600_000);

  it('stops a database that was replaced by a restored one too', async () => {
    operator.change((world) => {
      world.databases['distrise-1'] = { runs: true };
    });
    await operator.type(`${BOOTSTRAP} --destroy --yes`);
    expect(Object.values(operator.world.databases)).toEqual([{ runs: false }, { runs: false }]);
  });

  it('deletes a replica, which holds nothing of its own', async () => {
    operator.change((world) => {
      world.databases['distrise-replica'] = { runs: true };
    });
    await operator.type(`${BOOTSTRAP} --destroy --yes`);
    expect(operator.world.databases).toEqual({ distrise: { runs: false } });
  });

  it('is undone by a new deployment', async () => {
    await operator.type(`${BOOTSTRAP} --destroy --yes`);
    expect((await operator.submit()).code).toBe(0);
    expect(operator.world.databases).toEqual({ distrise: { runs: true } });
    expect(Object.keys(operator.world.services)).toContain('relay');
  });

  it('with the data asks for the name of the project', async () => {
    const wrong = await operator.type(`${BOOTSTRAP} --destroy --and-data`, 'yes\n');
    expect(wrong.code).not.toBe(0);
    expect(operator.world.alive).toBe(true);
    const right = await operator.type(`${BOOTSTRAP} --destroy --and-data`, 'my-relay-123\n');
    expect(right.text).toContain('gcloud projects undelete my-relay-123');
    expect(operator.world.alive).toBe(false);
  });

  it('takes --and-data only as the second word', async () => {
    const { code } = await operator.type(`${BOOTSTRAP} --and-data --yes`);
    expect(code).not.toBe(0);
    expect(operator.world.alive).toBe(true);
  });
});

describe('the lists of bootstrap', () => {
  it('have every API that Terraform names', () => {
    const named = quoted(textOf('apis.tf'), /"([a-z]+\.googleapis\.com)"/g);
    expect(named.filter((api) => !linesOf('deploy/apis.txt').includes(api))).toEqual([]);
  });

  it('have only roles that Google has', () => {
    const path = join(import.meta.dirname, '../support/terraform/google-roles.json');
    const known = readFileSync(path, 'utf8');
    const roles = [...linesOf('deploy/roles.txt'), 'roles/resourcemanager.projectIamAdmin'];
    expect(roles.filter((role) => !known.includes(`"${role}"`))).toEqual([]);
  });

  it('let the deployer grant what Terraform grants on the project, and nothing else', () => {
    const accounts = textOf('accounts.tf');
    const projectRoles = accounts.slice(
      accounts.indexOf('project_roles'),
      accounts.indexOf('topic_roles'),
    );
    const granted = [
      ...quoted(projectRoles, /"(roles\/[\w.]+)"/g),
      ...quoted(accounts, /"projects\/\$\{var\.project\}\/(roles\/\w+)"/g).map(
        (role) => `projects/PROJECT/${role}`,
      ),
    ];
    expect(linesOf('deploy/grants.txt').toSorted()).toEqual(granted.toSorted());
  });
});
