import { calledByPipeline, commandsIn } from '../support/deploy/called.ts';
import { Operator } from '../support/deploy/pipeline.ts';
import type { Recorded } from '../support/deploy/world.ts';
import {
  BUILD_NEEDS,
  GCLOUD_NEEDS,
  type Need,
  needsOf,
  type Place,
  TERRAFORM_NEEDS,
} from '../support/terraform/deployer-needs.ts';
import { readTerraform } from '../support/terraform/read.ts';
import { customRoles, googleRoles, linesOf } from '../support/terraform/roles.ts';

/**
 * What the deployer may do and what it does, held against each other: what bootstrap grants, by its
 * real calls, and what the commands of the pipeline and the types of infra/ ask for.
 */

interface Grant {
  readonly place: Place;
  readonly role: string;
}

const { permissions, methods } = googleRoles();
const PLACES: Readonly<Record<string, (call: Recorded) => Place>> = {
  'projects add-iam-policy-binding': () => 'project',
  'iam service-accounts add-iam-policy-binding': () => 'account',
  'artifacts repositories add-iam-policy-binding': () => 'repository',
  'storage buckets add-iam-policy-binding': ({ args }) =>
    (['state', 'archive'] as const).find((place) =>
      args.some((arg) => arg.endsWith(`-distrise-${place}`)),
    ) ?? 'source',
};
/** The README asks for it: no script may write to a billing account. */
const BILLING: Grant = { place: 'billing', role: 'roles/billing.costsManager' };

let calls: readonly Recorded[];
let grants: readonly Grant[];
let needs: readonly Need[];
let types: readonly string[];

beforeAll(async () => {
  const operator = await Operator.start();
  expect(await operator.type('infra/bootstrap.sh --project=my-relay-123 --yes')).toMatchObject({
    code: 0,
  });
  calls = operator.calls;
  await operator.close();
  grants = [
    BILLING,
    ...calls.flatMap((call) => {
      const [command] = Object.keys(PLACES).filter((each) => call.args.join(' ').startsWith(each));
      const role = call.args.find((arg) => arg.startsWith('--role='))?.slice('--role='.length);
      const place = command === undefined ? undefined : PLACES[command]?.(call);
      return place === undefined || role === undefined ? [] : [{ place, role }];
    }),
  ];
  const { resource, data } = await readTerraform();
  types = [
    ...Object.keys(resource).filter((type) => type !== 'terraform_data'),
    ...Object.keys(data).map((type) => `data.${type}`),
  ];
  needs = [
    ...needsOf(GCLOUD_NEEDS, calledByPipeline(), methods),
    ...needsOf(BUILD_NEEDS, Object.keys(BUILD_NEEDS), methods),
    ...needsOf(TERRAFORM_NEEDS, types, methods),
  ];
}, 60_000);

/** What is needed and not given. A right on the whole project holds at all that is in it. */
const missing = (given: readonly Grant[]): string[] =>
  needs
    .filter(
      ({ place, permission }) =>
        !given.some(
          (grant) =>
            (grant.place === place || (grant.place === 'project' && place !== 'billing')) &&
            permissions[grant.role]?.includes(permission),
        ),
    )
    .map(({ of, permission, place }) => `${of}: ${permission} at ${place}`);

it('what every command and every type of resource asks for is written down, and nothing else', () => {
  expect(Object.keys(GCLOUD_NEEDS).toSorted()).toEqual(calledByPipeline());
  expect(Object.keys(TERRAFORM_NEEDS).toSorted()).toEqual(types.toSorted());
});

it('every role that the deployer gets is one whose permissions are known', () => {
  expect(grants.map(({ role }) => role).filter((role) => !(role in permissions))).toEqual([]);
});

it('the deployer may do all that it does', () => {
  expect(needs.length).toBeGreaterThan(100);
  expect(missing(grants)).toEqual([]);
});

it('nothing would go without any of its roles', () => {
  const needless = grants.filter(
    ({ place, role }) =>
      missing(grants.filter((grant) => grant.place !== place || grant.role !== role)).length === 0,
  );
  expect(needless).toEqual([]);
});

it('each script that calls something new would be noticed', () => {
  expect(
    commandsIn(
      [
        'x=$(gcloud run services list --project=p)',
        'if gcloud sql instances patch main; then',
        'stop "Look: gcloud logging read"',
        'gcloud new thing --flag |',
      ].join('\n'),
    ),
  ).toEqual(['run services list', 'sql instances patch', 'new thing']);
});

describe('the deployer cannot make itself more than it is:', () => {
  const may = (permission: string, place: Place) =>
    grants.filter(
      (grant) => grant.place === place && permissions[grant.role]?.includes(permission),
    );

  it.each([
    ['act as any account of the project', 'iam.serviceAccounts.actAs'],
    ['take the token of any account', 'iam.serviceAccounts.getAccessToken'],
    ['say who may act as an account', 'iam.serviceAccounts.setIamPolicy'],
    ['make an account', 'iam.serviceAccounts.create'],
    ['make a key of an account', 'iam.serviceAccountKeys.create'],
    ['make a role', 'iam.roles.create'],
    ['change a role', 'iam.roles.update'],
    ['turn on an API', 'serviceusage.services.enable'],
    ['write to any bucket', 'storage.objects.create'],
    ['write to any repository', 'artifactregistry.repositories.uploadArtifacts'],
  ])('it may not %s', (_, permission) => {
    expect(may(permission, 'project')).toEqual([]);
  });

  it('it acts as the accounts of the services and as no other', () => {
    const accounts = calls
      .filter(({ args }) =>
        args.join(' ').startsWith('iam service-accounts add-iam-policy-binding'),
      )
      .map(({ args }) => args[3]);
    const names = linesOf('accounts.txt').map((line) => line.split(' ')[0]);
    expect(accounts).toEqual(
      names.map((name) => `distrise-${name}@my-relay-123.iam.gserviceaccount.com`),
    );
  });

  it('what it gives others is bound to the list of grants', () => {
    const giving = calls.filter(({ args }) =>
      args.includes('--role=roles/resourcemanager.projectIamAdmin'),
    );
    expect(giving).toHaveLength(1);
    expect(giving[0]?.args.some((arg) => arg.startsWith('--condition-from-file='))).toBe(true);
  });

  it('custom roles hold only what Google has, and nothing that sets a policy', () => {
    const known = new Set(Object.values(permissions).flat());
    const held = Object.values(customRoles()).flat();
    expect(held.filter((permission) => !known.has(permission))).toEqual([]);
    expect(held.filter((permission) => /setIamPolicy|actAs|roles/.test(permission))).toEqual([]);
  });
});
