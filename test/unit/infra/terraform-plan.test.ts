import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseFetchConfiguration } from '../../../functions/fetch/configuration.ts';
import { PROFILE_NAMES, type ProfileName } from '../../../functions/operate/profiles.ts';
import { parseProbeConfiguration } from '../../../functions/probe/configuration.ts';
import { parseRelayConfiguration } from '../../../functions/relay/configuration.ts';
import { parseStoreConfiguration } from '../../../functions/store/configuration.ts';
import { parseBudgetRules } from '../../../functions/upkeep/budget-rules.ts';
import { parseUpkeepConfiguration } from '../../../functions/upkeep/configuration.ts';
import { parseMigrateConfiguration } from '../../../functions/upkeep/migrate-configuration.ts';
import { allowedTo } from '../../support/terraform/permissions.ts';
import { hasTerraform, openWorkplace, type Workplace } from '../../support/terraform/run.ts';
import { type StandIn, startStandIn } from '../../support/terraform/stand-in-provider.ts';

/**
 * The real Terraform plans the real files against a stand-in for the provider, where it is
 * installed; terraform.test.ts checks the same files everywhere.
 */

type Values = Readonly<Record<string, unknown>>;
/** By address: `google_pubsub_topic.incoming`. */
type Plan = ReadonlyMap<string, Values>;

const GIVEN = ['project=stand-in', 'image=europe-docker.pkg.dev/p/distrise/distrise:1'];
const EVERYTHING = [
  'domain=relay.example.com',
  'only_load_balancer=true',
  'billing_account=012345-567890-ABCDEF',
  'alert_emails=["someone@example.com"]',
  'paging_channels=["projects/p/notificationChannels/1"]',
];
const SECRET = 'ab'.repeat(32);

const PARSE = {
  relay: parseRelayConfiguration,
  store: parseStoreConfiguration,
  fetch: parseFetchConfiguration,
  follow: parseFetchConfiguration,
  upkeep: parseUpkeepConfiguration,
  probe: parseProbeConfiguration,
  migrate: parseMigrateConfiguration,
} as const;

const SQL = ['cloudsql.instances.connect', 'cloudsql.instances.get', 'cloudsql.instances.login'];
const METRICS = ['monitoring.timeSeries.create', 'monitoring.metricDescriptors.create'];
const PUBLISH = ['pubsub.topics.publish'];
const INVOKE = ['run.routes.invoke'];
const READ_KEY = ['secretmanager.versions.access'];

/** Which calls of Google's APIs each part makes, and at what. */
const NEEDS: readonly (readonly [account: string, where: string, needed: readonly string[]])[] = [
  [
    'relay',
    'project',
    [
      ...SQL,
      ...METRICS,
      'pubsub.subscriptions.create',
      'pubsub.subscriptions.consume',
      'pubsub.subscriptions.delete',
    ],
  ],
  ['relay', 'incoming', PUBLISH],
  ['relay', 'stored', [...PUBLISH, 'pubsub.topics.attachSubscription']],
  ['store', 'project', [...SQL, ...METRICS]],
  ['store', 'stored', PUBLISH],
  ['store', 'incoming-dead', PUBLISH],
  ['fetch', 'project', [...SQL, ...METRICS]],
  ['fetch', 'incoming', PUBLISH],
  ['fetch', 'fetch', PUBLISH],
  ['fetch', 'fetch-key', READ_KEY],
  ['upkeep', 'project', [...SQL, ...METRICS, 'pubsub.subscriptions.delete']],
  // ListTopicSubscriptions asks for the right to see the topic.
  ['upkeep', 'stored', ['pubsub.topics.get']],
  ['upkeep', 'incoming', PUBLISH],
  ['upkeep', 'incoming-dead-replay', ['pubsub.subscriptions.consume']],
  ['probe', 'project', METRICS],
  ['probe', 'probe-key', READ_KEY],
  ['push', 'store', INVOKE],
  ['push', 'fetch', INVOKE],
  ['scheduler', 'fetch', INVOKE],
  ['scheduler', 'upkeep', INVOKE],
  ['scheduler', 'probe', INVOKE],
];

const opened: { readonly standIn: StandIn; readonly workplace: Workplace }[] = [];
afterAll(() => {
  for (const { standIn, workplace } of opened) {
    workplace.remove();
    standIn.close();
  }
});

async function open(foresight: 'unknown' | 'known'): Promise<Workplace> {
  const standIn = await startStandIn(foresight);
  const workplace = await openWorkplace(standIn);
  opened.push({ standIn, workplace });
  return workplace;
}

const planArguments = (profile: ProfileName, variables: readonly string[]): string[] => [
  'plan',
  '-no-color',
  '-input=false',
  '-out=plan',
  `-var-file=profiles/${profile}.tfvars`,
  ...[...GIVEN, ...variables].map((variable) => `-var=${variable}`),
];

/** A database that can have a pool of replicas. */
const DATABASE_PLUS =
  'database={edition="ENTERPRISE_PLUS",tier="db-perf-optimized-N-2",high_available=false,' +
  'disk_gigabytes=50,disk_limit=500,max_connections=200,backups=14,log_days=7}';

interface Change {
  readonly address: string;
  readonly change: { readonly after: Values };
}

interface TakenIn {
  readonly address: string;
  readonly change: { readonly importing?: { readonly id: string } };
}

const plans = new Map<string, Promise<Plan>>();

/** A plan with these variables; one that was made before is not made again. */
function planOf(workplace: Workplace, profile: ProfileName, ...variables: string[]): Promise<Plan> {
  const key = JSON.stringify([workplace.directory, profile, variables]);
  const plan = plans.get(key) ?? makePlan(workplace, planArguments(profile, variables));
  plans.set(key, plan);
  return plan;
}

async function makePlan(workplace: Workplace, args: readonly string[]): Promise<Plan> {
  await workplace.run(...args);
  const shown = JSON.parse(await workplace.run('show', '-json', 'plan')) as {
    readonly resource_changes: readonly Change[];
  };
  return new Map(shown.resource_changes.map(({ address, change }) => [address, change.after]));
}

/** What stands at a path of values: `template.0.timeout`. */
const at = (values: unknown, path: string): unknown =>
  path.split('.').reduce<unknown>((value, key) => (value as Values | undefined)?.[key], values);

const containerOf: Readonly<Record<keyof typeof PARSE, readonly [address: string, path: string]>> =
  {
    relay: ['google_cloud_run_v2_service.relay', 'template.0.containers.0'],
    store: ['google_cloud_run_v2_service.function["store"]', 'template.0.containers.0'],
    fetch: ['google_cloud_run_v2_service.function["fetch"]', 'template.0.containers.0'],
    upkeep: ['google_cloud_run_v2_service.function["upkeep"]', 'template.0.containers.0'],
    probe: ['google_cloud_run_v2_service.function["probe"]', 'template.0.containers.0'],
    follow: ['google_cloud_run_v2_worker_pool.follow[0]', 'template.0.containers.0'],
    migrate: ['google_cloud_run_v2_job.migrate', 'template.0.template.0.containers.0'],
  };

/** The environment as the container gets it; what a secret gives is some key. */
function environmentOf(plan: Plan, name: keyof typeof PARSE): Record<string, string> {
  const [address, path] = containerOf[name];
  const env = at(plan.get(address), `${path}.env`) as readonly {
    readonly name: string;
    readonly value: string | null;
    readonly value_source: readonly unknown[];
  }[];
  return Object.fromEntries(
    env.map(({ name: variable, value, value_source }) => [
      variable,
      value_source.length > 0 ? SECRET : (value ?? ''),
    ]),
  );
}

/** The thresholds of each alert, in the order of its conditions. */
const thresholdsOf = (plan: Plan): ReadonlyMap<string, readonly unknown[]> =>
  new Map(
    [...plan].flatMap(([address, policy]) => {
      const name = /alert_policy\.alert\["(.+)"\]/.exec(address)?.[1];
      if (name === undefined) return [];
      const conditions = policy['conditions'] as readonly Values[];
      return [
        [
          name,
          conditions.map((each) => at(each, 'condition_threshold.0.threshold_value')),
        ] as const,
      ];
    }),
  );

/** The lines that a chart has, by its title. */
const linesOf = (plan: Plan, title: string): number[] =>
  [...plan]
    .filter(([address]) => address.includes('google_monitoring_dashboard.'))
    .flatMap(([, { dashboard_json: text }]) => {
      const { mosaicLayout } = JSON.parse(String(text)) as {
        readonly mosaicLayout: { readonly tiles: readonly { readonly widget: Values }[] };
      };
      return mosaicLayout.tiles.filter(({ widget }) => widget['title'] === title);
    })
    .flatMap(({ widget }) => at(widget, 'xyChart.thresholds') as readonly { value: number }[])
    .map(({ value }) => value);

(hasTerraform ? describe : describe.skip)('terraform', () => {
  let before: Workplace;
  let known: Workplace;
  beforeAll(async () => {
    [before, known] = await Promise.all([open('unknown'), open('known')]);
  }, 60_000);

  it('finds the files formatted', async () => {
    await before.run('fmt', '-check', '-recursive', '-diff');
  });

  it('finds the files valid', async () => {
    expect(await before.run('validate', '-no-color')).toContain('The configuration is valid');
  });

  it('says so where an argument is not one of the provider', async () => {
    const wrong = join(before.directory, 'wrong.tf');
    writeFileSync(wrong, 'resource "google_pubsub_topic" "wrong" {\n  nam = "x"\n}\n');
    try {
      await expect(before.run('validate', '-no-color')).rejects.toThrow('Unsupported argument');
    } finally {
      rmSync(wrong);
    }
  });

  it.each(PROFILE_NAMES)(
    'plans the first deployment of %s, where nothing is known yet',
    async (name) => {
      const plan = await planOf(before, name, 'monitoring_policies=false');
      expect(plan.has('google_cloud_run_v2_service.relay')).toBe(true);
      expect([...plan.keys()].filter((address) => address.includes('alert_policy'))).toEqual([]);
    },
  );

  it('takes a restored database in as it is, and makes none', async () => {
    const variables = ['database_instance=distrise-1', 'database_taken_in=true'];
    await known.run(...planArguments('personal', variables));
    const { resource_changes } = JSON.parse(await known.run('show', '-json', 'plan')) as {
      readonly resource_changes: readonly TakenIn[];
    };
    const ids = resource_changes
      .filter(({ address }) => address.startsWith('google_sql_'))
      .map(({ change: { importing } }) => importing?.id);
    const user = (name: string) => `stand-in/distrise-1/distrise-${name}@stand-in.iam`;
    expect(ids.toSorted()).toEqual([
      'projects/stand-in/instances/distrise-1',
      'projects/stand-in/instances/distrise-1/databases/distrise',
      ...['fetch', 'relay', 'store', 'upkeep'].map(user),
    ]);
  });

  it('plans a domain, a budget, pagers and every alert', async () => {
    const plan = await planOf(before, 'public', ...EVERYTHING);
    const alert = plan.get('google_monitoring_alert_policy.alert["relay-silent"]');
    expect(at(alert, 'conditions.0.condition_absent.0.duration')).toBe('600s');
    const burn = plan.get('google_monitoring_alert_policy.alert["ok-to-stored-fast-burn"]');
    expect(at(burn, 'conditions.0.condition_threshold.0.filter')).toContain('projects/stand-in/');
    expect(plan.has('google_compute_security_policy.edge["relay"]')).toBe(true);
    expect(plan.has('google_billing_budget.month[0]')).toBe(true);
    const told = plan.get('google_pubsub_subscription.budget_upkeep[0]');
    expect(at(told, 'push_config.0.oidc_token')).toHaveLength(1);
    expect(plan.get('google_pubsub_topic_iam_member.billing[0]')).toMatchObject({
      role: 'roles/pubsub.publisher',
      member: 'serviceAccount:billing-budget-alert@system.gserviceaccount.com',
    });
    expect(plan.has('google_cloud_run_v2_service_iam_member.push["upkeep"]')).toBe(true);
    expect(plan.get('google_cloud_run_v2_service.relay')).toMatchObject({
      ingress: 'INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER',
    });
  });

  it('leaves the relay open beside a domain that nobody can reach yet', async () => {
    const plan = await planOf(before, 'community', 'domain=relay.example.com');
    expect(plan.get('google_cloud_run_v2_service.relay')).toMatchObject({
      ingress: 'INGRESS_TRAFFIC_ALL',
    });
    expect(environmentOf(plan, 'relay')['RELAY_TRUSTED_PROXIES']).toBe('1');
    const closed = await planOf(before, 'community', ...EVERYTHING);
    expect(environmentOf(closed, 'relay')['RELAY_TRUSTED_PROXIES']).toBe('2');
  });

  it('makes nothing anew for another domain but the certificate', async () => {
    const edgeOf = async (domain: string) =>
      [...(await planOf(before, 'community', `domain=${domain}`))]
        .filter(([address]) => address.endsWith('.edge["relay"]'))
        .map(([address, { managed: _, name }]) => `${address} ${name}`);
    const [one, other] = [await edgeOf('relay.example.com'), await edgeOf('other.example.com')];
    expect(one).toHaveLength(8);
    expect(other.filter((each) => !one.includes(each))).toEqual([
      expect.stringContaining('google_compute_managed_ssl_certificate.edge["relay"] relay-'),
    ]);
  });

  it.each(PROFILE_NAMES)('lets alerts and charts follow the sizes of %s', async (name) => {
    const plan = await planOf(before, name);
    const relay = plan.get('google_cloud_run_v2_service.relay');
    const database = plan.get('google_sql_database_instance.main');
    const flags = at(database, 'settings.0.database_flags') as readonly Values[];
    const allowed = Number(flags.find((flag) => flag['name'] === 'max_connections')?.['value']);
    const concurrency = Number(at(relay, 'template.0.max_instance_request_concurrency'));
    const instances = Number(at(relay, 'scaling.0.max_instance_count'));
    const diskLimit = Number(at(database, 'settings.0.disk_autoresize_limit'));
    const taken = Number(environmentOf(plan, 'relay')['RELAY_CONNECTIONS_MAX']);
    expect(taken).toBe(concurrency - 20);

    const thresholds = thresholdsOf(plan);
    const four = (number: number) => Math.floor(0.8 * number);
    expect(thresholds.get('connections-near-ceiling')).toEqual([
      ...[four(taken), four(concurrency), four(taken * instances), 0],
    ]);
    expect(thresholds.get('database-connections')).toEqual([four(allowed), 1_000]);
    expect(thresholds.get('database-disk')?.[0]).toBe(four(diskLimit * 2 ** 30));
    expect(thresholds.get('database-disk')?.[1]).toBeGreaterThanOrEqual(0.98);
    expect(thresholds.get('database-disk')?.[1]).toBeLessThan(1);

    const lines = (title: string) => linesOf(plan, title).toSorted((one, other) => one - other);
    expect(lines('How full is the fullest instance?')).toEqual([four(taken), taken]);
    expect(lines('How many connections are open, by state?')).toEqual([four(allowed), allowed]);
  });

  it('lets the alert on cost follow the budget', async () => {
    const alert = 'google_monitoring_alert_policy.alert["cost-above-budget"]';
    const path = 'conditions.0.condition_prometheus_query_language.0.query';
    const plans = [planOf(before, 'public'), planOf(before, 'public', 'budget_units=730')];
    const queries = (await Promise.all(plans)).map((plan) => String(at(plan.get(alert), path)));
    expect(queries.map((query) => / > ([0-9.]+)$/.exec(query)?.[1])).toEqual(['5.479', '2.000']);
  });

  it('plans no probe, uptime check or alert on them where nobody watches', async () => {
    const plan = await planOf(before, 'personal');
    const addresses = [...plan.keys()];
    const watching = addresses.filter((address) =>
      /uptime_check|every_minute\["probe"\]|nip11|relay-silent/.test(address),
    );
    expect(watching).toEqual([]);
    expect(addresses).toContain('google_monitoring_alert_policy.alert["backlog-age"]');
    // Nor a budget where no billing account is named; then nobody but the scheduler calls upkeep.
    const told = /^google_(billing|pubsub)_.*(budget|billing)|push\["upkeep"\]/;
    expect(addresses.filter((address) => told.test(address))).toEqual([]);
  });

  it('archives what was accepted where that is wanted, in a bucket that nobody else can read', async () => {
    const plan = await planOf(known, 'community');
    const bucket = plan.get('google_storage_bucket.archive');
    expect(bucket).toMatchObject({
      name: 'stand-in-distrise-archive',
      force_destroy: false,
      uniform_bucket_level_access: true,
      public_access_prevention: 'enforced',
      versioning: [{ enabled: false }],
    });
    expect(at(bucket, 'lifecycle_rule.0')).toMatchObject({
      action: [{ type: 'Delete' }],
      condition: [{ age: 30 }],
    });
    const subscription = plan.get('google_pubsub_subscription.incoming_archive[0]');
    const written = at(subscription, 'cloud_storage_config.0');
    expect(at(written, 'bucket')).toBe(at(bucket, 'name'));
    expect(at(written, 'text_config')).toHaveLength(1);
    // Google refuses a shorter deadline.
    const seconds = Number.parseInt(String(at(written, 'max_duration')), 10);
    expect(at(subscription, 'ack_deadline_seconds')).toBeGreaterThanOrEqual(seconds);
    const grants = [...plan].filter(([address]) => address.startsWith('google_storage_bucket_iam'));
    expect(grants.map(([, { role }]) => role)).toEqual([
      'roles/storage.legacyBucketReader',
      'roles/storage.objectCreator',
    ]);
    for (const [, { member }] of grants) expect(member).toContain('gcp-sa-pubsub');
  });

  it('archives nothing where that is not wanted, and keeps the bucket of what was archived', async () => {
    const plan = await planOf(known, 'personal');
    expect(plan.has('google_pubsub_subscription.incoming_archive[0]')).toBe(false);
    expect(plan.has('google_monitoring_alert_policy.alert["archive-behind"]')).toBe(false);
    expect(plan.has('google_storage_bucket.archive')).toBe(true);
  });

  it.each(PROFILE_NAMES)(
    'gives every service of %s an environment that it accepts',
    async (name) => {
      const plan = await planOf(known, name, 'follow=true');
      for (const [service, parse] of Object.entries(PARSE)) {
        const environment = environmentOf(plan, service as keyof typeof PARSE);
        const parsed = parse({ ...environment, K_SERVICE: service });
        expect([service, parsed.ok ? '' : parsed.reason]).toEqual([service, '']);
      }
    },
  );

  it('gives the worker the key that fetch logs in with at other relays', async () => {
    const plan = await planOf(known, 'community', 'follow=true');
    for (const service of ['fetch', 'follow'] as const) {
      expect(environmentOf(plan, service)['FETCH_SECRET_KEY']).toBe(SECRET);
    }
  });

  it.each(PROFILE_NAMES)("leaves the relay's buffers of %s room in its memory", async (name) => {
    const plan = await planOf(known, name);
    const { WINDOW_BYTES_MAX, PENDING_BYTES_MAX, ANSWERS_BYTES_MAX, RELAY_SEND_TOTAL_BYTES_MAX } =
      environmentOf(plan, 'relay');
    const buffers = [
      WINDOW_BYTES_MAX,
      PENDING_BYTES_MAX,
      ANSWERS_BYTES_MAX,
      RELAY_SEND_TOTAL_BYTES_MAX,
    ].reduce((sum, bytes) => sum + Number(bytes), 0);
    const relay = plan.get('google_cloud_run_v2_service.relay');
    const gibibytes = Number.parseInt(
      String(at(relay, 'template.0.containers.0.resources.0.limits.memory')),
      10,
    );
    // An idle process takes about 130 MiB, and the heap needs room to be swept.
    expect(buffers + 200 * 2 ** 20).toBeLessThan(0.8 * gibibytes * 2 ** 30);
  });

  it('plans no replica unless told to', async () => {
    const plan = await planOf(known, 'community');
    expect(plan.has('google_sql_database_instance.replica[0]')).toBe(false);
    expect(environmentOf(plan, 'relay')['REPLICA_INSTANCE_CONNECTION_NAME']).toBe('');
  });

  it('gives a replica that is made anew a name that is free', async () => {
    const named = async (...variables: string[]) =>
      (await planOf(known, 'community', ...variables)).get(
        'google_sql_database_instance.replica[0]',
      )?.['name'];
    expect([
      await named('read_replica={nodes=1}'),
      await named('read_replica={nodes=1,name="2"}'),
      await named('read_replica={nodes=1}', DATABASE_PLUS),
    ]).toEqual(['distrise-replica-1', 'distrise-replica-2', 'distrise-pool-1']);
  });

  it.each([
    ['a replica', 'read_replica={nodes=1}', [], { instance_type: 'READ_REPLICA_INSTANCE' }],
    [
      'a pool',
      'read_replica={nodes=3,pool=2}',
      [DATABASE_PLUS],
      { instance_type: 'READ_POOL_INSTANCE', node_count: 3 },
    ],
  ] as const)('plans %s that the relay reads from', async (_, replica, more, made) => {
    const plan = await planOf(known, 'community', replica, ...more);
    const planned = plan.get('google_sql_database_instance.replica[0]');
    const main = plan.get('google_sql_database_instance.main');
    expect(planned).toMatchObject({ ...made, master_instance_name: 'distrise' });
    expect(at(planned, 'settings.0.tier')).toBe(at(main, 'settings.0.tier'));
    const environment = environmentOf(plan, 'relay');
    expect(environment['REPLICA_INSTANCE_CONNECTION_NAME']).not.toBe('');
    const parsed = parseRelayConfiguration({ ...environment, K_SERVICE: 'relay' });
    expect(parsed).toMatchObject({ ok: true });
  });

  it('lets a push take as long as the function it calls, and no longer', async () => {
    const plan = await planOf(known, 'community');
    for (const [subscription, name] of [
      ['incoming_store', 'store'],
      ['fetch_work', 'fetch'],
    ]) {
      const push = plan.get(`google_pubsub_subscription.${subscription}`);
      const service = plan.get(`google_cloud_run_v2_service.function["${name}"]`);
      expect(at(service, 'template.0.timeout')).toBe(`${at(push, 'ack_deadline_seconds')}s`);
      expect(at(push, 'push_config.0.oidc_token.0.audience')).toBe(
        at(push, 'push_config.0.push_endpoint'),
      );
      expect(at(service, 'ingress')).toBe('INGRESS_TRAFFIC_INTERNAL_ONLY');
    }
  });

  it('gives no account a role that edits or owns', async () => {
    const plan = await planOf(known, 'community');
    const roles = [...plan].filter(([address]) => address.includes('_iam_member.'));
    expect(roles.length).toBeGreaterThan(10);
    for (const [, { role }] of roles) expect(role).not.toMatch(/admin|editor|owner/i);
  });

  it.each(NEEDS)('lets %s do what it does at %s', async (account, where, needed) => {
    const plan = await planOf(known, 'community');
    const allowed = allowedTo(account, plan).get(where) ?? new Set();
    expect([...allowed]).toEqual(expect.arrayContaining([...needed]));
  });

  it.each(['relay', 'store', 'fetch', 'upkeep', 'probe', 'push', 'scheduler'])(
    'lets %s publish, read or call only where it does',
    async (account) => {
      const plan = await planOf(known, 'community');
      const places = NEEDS.filter(([each]) => each === account).map(([, where]) => where);
      expect([...allowedTo(account, plan).keys()].toSorted()).toEqual(places.toSorted());
    },
  );

  it('keeps the secret keys out of plan and state', async () => {
    const plan = await planOf(known, 'community');
    const version = plan.get('google_secret_manager_secret_version.key["probe"]');
    expect(version).toMatchObject({ secret_data_wo_version: '1' });
    expect(version?.['secret_data_wo'] ?? null).toBeNull();
  });

  it.each([
    'off',
    '0.8:limits',
    '0.05:fetch,99:read-only',
    '0:fetch',
    '0.8:limits,00.0:fetch',
    '0.8:fetch,0.9:fetch',
    '0.8:sleep',
    '0.8:fetch,',
  ])('takes or refuses the steps %s as upkeep does', async (steps) => {
    const planned = before.run(...planArguments('community', [`budget_steps=${steps}`]));
    const taken = await planned.then(
      () => true,
      (error: Error) => {
        expect(error.message).toMatch(/Steps are named like|A share is more than 0/);
        return false;
      },
    );
    expect(taken).toBe(parseBudgetRules(steps).ok);
  });

  it.each([
    [
      'more connections than the database has',
      [
        'database={edition="ENTERPRISE",tier="db-custom-2-7680",high_available=false,disk_gigabytes=50,disk_limit=500,max_connections=60,backups=14,log_days=7}',
      ],
      /67 database\s+connections[\s\S]+43 are allowed/,
    ],
    [
      'a machine that the edition does not have',
      [
        'database={edition="ENTERPRISE_PLUS",tier="db-custom-2-7680",high_available=false,disk_gigabytes=50,disk_limit=500,max_connections=200,backups=14,log_days=7}',
      ],
      /ENTERPRISE_PLUS takes/,
    ],
    ['two replicas without a pool', ['read_replica={nodes=2}'], /ENTERPRISE has one replica/],
    [
      'a machine for the replica that the edition does not have',
      ['read_replica={nodes=1,tier="db-perf-optimized-N-2"}'],
      /A replica's machine is of the primary's/,
    ],
    [
      'more connections to a replica than it has',
      ['read_replica={nodes=1,pool=100}'],
      /may open \d+ connections to the replica/,
    ],
    ['a project that is no id', ['project=My Project'], /project must be given by its id/],
    ['an image without a name', ['image=latest'], /An image is named like/],
    ['a domain with a scheme', ['domain=https://relay.example.com'], /A domain is named like/],
    ['an archive of no days', ['archive_days=0'], /archive keeps 1 to 3650 whole/],
    ['a pubkey in bech32', ['relay_pubkey=npub1xyz'], /64 lowercase hex/],
  ])('refuses %s', async (_, variables, told) => {
    await expect(before.run(...planArguments('community', variables))).rejects.toThrow(told);
  });
});
