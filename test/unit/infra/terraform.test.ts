import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { schema as fetchSchema } from '../../../functions/fetch/configuration.ts';
import { schema as probeSchema } from '../../../functions/probe/configuration.ts';
import { relaySchema } from '../../../functions/relay/configuration.ts';
import { schema as storeSchema } from '../../../functions/store/configuration.ts';
import { schema as upkeepSchema } from '../../../functions/upkeep/configuration.ts';
import { schema as migrateSchema } from '../../../functions/upkeep/migrate-configuration.ts';
import { infraFiles } from '../../support/monitoring/files.ts';
import { listAt, textAt } from '../../support/monitoring/json.ts';
import { referenceFaults, roleFaults } from '../../support/terraform/check-references.ts';
import { schemaFaults } from '../../support/terraform/check-schema.ts';
import { type Started, startedBy } from '../../support/terraform/environment.ts';
import {
  INFRA,
  readTerraform,
  type Terraform,
  terraformFiles,
} from '../../support/terraform/read.ts';
import { customRoles, googleRoles } from '../../support/terraform/roles.ts';
import { googleSchema } from '../../support/terraform/schema.ts';
import { MISTAKES } from './terraform-mistakes.ts';

const schema = googleSchema();
const roles = googleRoles();
const custom = Object.keys(customRoles());
const SCHEMAS: Readonly<Record<string, z.ZodObject>> = {
  relay: relaySchema,
  store: storeSchema,
  fetch: fetchSchema,
  follow: fetchSchema,
  upkeep: upkeepSchema,
  probe: probeSchema,
  migrate: migrateSchema,
};

/** Where the environment that Terraform sets and the one that the service reads differ. */
const environmentFaults = ({ name, environment }: Started): string[] => {
  const shape = SCHEMAS[name]?.shape ?? {};
  const faults = Object.keys(environment)
    .filter((variable) => !(variable in shape))
    .map((variable) => `${name}: ${variable} is set, and nothing reads it`);
  const needed = Object.entries(shape)
    .filter(([, field]) => !z.safeParse(field as z.ZodType, undefined).success)
    .map(([variable]) => variable);
  // Optional one by one, but one of two ways to the database is required.
  if ('DATABASE_URL' in shape) {
    needed.push('INSTANCE_CONNECTION_NAME', 'DATABASE_NAME', 'DATABASE_USER');
  }
  for (const variable of needed) {
    if (!(variable in environment)) faults.push(`${name}: ${variable} is required and not set`);
  }
  return faults;
};

const allFaults = (terraform: Terraform): string[] => [
  ...schemaFaults(terraform, schema),
  ...referenceFaults(terraform, schema),
  ...roleFaults(terraform, roles.names, custom),
  ...startedBy(terraform).flatMap(environmentFaults),
];

/** The files with one text of one file replaced by another. */
async function changed(file: string, from: string, to: string): Promise<Terraform> {
  const files = terraformFiles();
  const text = files[file] ?? '';
  if (!text.includes(from)) throw new Error(`${file} has no ${from}`);
  return readTerraform({ ...files, [file]: text.replace(from, to) });
}

let terraform: Terraform;
beforeAll(async () => {
  terraform = await readTerraform();
});

describe('infra/*.tf', () => {
  it('uses only types, arguments, blocks and words that the provider has, and all it requires', () => {
    expect(schemaFaults(terraform, schema)).toEqual([]);
  });

  it('refers only to what exists, and has no variable or local that nobody refers to', () => {
    expect(referenceFaults(terraform, schema)).toEqual([]);
  });

  it('grants only roles that Google has, or that bootstrap makes', () => {
    expect(roleFaults(terraform, roles.names, custom)).toEqual([]);
  });

  it('asks for the provider that its schema was read from', () => {
    expect(terraform.terraform['required_providers']).toMatchObject([
      { google: { version: `= ${schema.version}` } },
    ]);
  });

  it('sets every variable that a service requires, and none that it does not read', () => {
    const started = startedBy(terraform);
    expect(started.map(({ name }) => name).toSorted()).toEqual(Object.keys(SCHEMAS).toSorted());
    expect(started.flatMap(environmentFaults)).toEqual([]);
  });

  it('names subscriptions, topics and services as alerts and dashboards do', () => {
    const { resource, locals } = terraform;
    const namesOf = (type: string) =>
      Object.values(resource[type] ?? {}).flatMap(({ name }) =>
        typeof name === 'string' ? [name] : [],
      );
    const known: Readonly<Record<string, readonly string[]>> = {
      subscription_id: namesOf('google_pubsub_subscription'),
      topic_id: namesOf('google_pubsub_topic'),
      service_name: ['relay', ...Object.keys(locals['functions'] as object)],
    };
    const watched = ['alerts', 'dashboards', 'slos'].flatMap((folder) =>
      readdirSync(join(INFRA, folder)).flatMap((file) => {
        const text = readFileSync(join(INFRA, folder, file), 'utf8').replaceAll('\\"', '"');
        const found = text.matchAll(
          /(subscription_id|topic_id|service_name)"?=~?(?:one_of\()?"([^"]+)"/g,
        );
        return [...found].flatMap(([, label = '', names = '']) =>
          names.split('|').map((name) => ({ label, name })),
        );
      }),
    );
    expect(watched.length).toBeGreaterThan(20);
    expect(watched.filter(({ label, name }) => !known[label]?.includes(name))).toEqual([]);
  });

  it('lets only conditions follow the profile that an alert has, and all of a share of it', () => {
    const followed = Object.keys(terraform.locals['thresholds'] as object);
    const conditions = infraFiles('alerts').flatMap(({ json }) =>
      listAt(json, 'conditions').map((condition) => textAt(condition, 'displayName')),
    );
    expect(new Set(followed).size).toBeGreaterThan(5);
    expect(followed.filter((name) => !conditions.includes(name))).toEqual([]);
    const ofSizes = /^Over 80 % of (the connections|what)|budget|grown/;
    expect(conditions.filter((name) => ofSizes.test(name)).toSorted()).toEqual(followed.toSorted());
  });

  it('replaces the numbers of charts only where they stand', () => {
    for (const [file, counts] of Object.entries({
      'relay.json': [1, 1],
      'database.json': [2, 1],
    })) {
      const text = readFileSync(join(INFRA, 'dashboards', file), 'utf8');
      const alerts = text.match(/"value": (80|800),/g)?.length;
      const ceilings = text.match(
        /"value": \d+,\s+"targetAxis": "Y1",\s+"label": "ceiling"/g,
      )?.length;
      expect([file, alerts, ceilings]).toEqual([file, ...counts]);
    }
    expect(Object.keys(terraform.locals['ceilings'] as object).toSorted()).toEqual([
      ...['database.json', 'relay.json'],
    ]);
  });

  it('starts programs that the build makes', () => {
    for (const { name, arguments: given } of startedBy(terraform)) {
      const [program = '', ...flags] = given;
      const source = flags.find((flag) => flag.startsWith('--source='))?.slice('--source='.length);
      const built = source ?? program;
      const written = built.replace(/^dist\//, '').replace(/\.js$/, '.ts');
      expect([name, existsSync(join(INFRA, '..', written))]).toEqual([name, true]);
      if (source === undefined) continue;
      expect(existsSync(join(INFRA, '..', program))).toBe(true);
      expect(flags).toContain(`--target=${name}`);
    }
  });
});

describe('the checks notice', () => {
  it.each(MISTAKES)('$what', async ({ file, from, to, told }) => {
    const faults = await changed(file, from, to).then(allFaults);
    expect(faults).toEqual(expect.arrayContaining([expect.stringMatching(told)]));
  });
});
