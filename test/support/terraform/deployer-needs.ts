/**
 * What the deployer calls: the methods of Google's APIs behind each command and each type of
 * resource. derive-roles.ts looks up what they ask for. A method that the list of Google does not
 * explain is followed by its permissions here, from the page of the product on access control.
 */

/** Where a right is asked for. */
export type Place =
  | 'project'
  /** Each account that a service runs as. */
  | 'account'
  /** The repository of the image. */
  | 'repository'
  /** The bucket of Terraform's state. */
  | 'state'
  /** The bucket of the source. */
  | 'source'
  /** The bucket of the archive. */
  | 'archive'
  /** The billing account, which is nobody's of the project. */
  | 'billing';

export interface Calls {
  readonly at?: Place;
  readonly methods?: readonly string[];
  readonly permissions?: readonly string[];
}
type Needs = Readonly<Record<string, readonly Calls[]>>;

const api =
  (verbs: string) =>
  (collection: string): Calls => ({
    methods: verbs.split(' ').map((verb) => `${collection}.${verb}`),
  });
const managed = api('create get patch delete');
/** Compute Engine's own words; without `patch` where a change makes a new one. */
const computed = api('insert get delete');
const changed = api('insert get patch delete');
const granted = api('getIamPolicy setIamPolicy');

/** To start something as an account, or to have a token of it sent. */
const ACTS: Calls = { at: 'account', permissions: ['iam.serviceAccounts.actAs'] };
/** docs/configuring/vpc-direct-vpc of Cloud Run. */
const IN_NETWORK: Calls = { permissions: ['compute.networks.get', 'compute.subnetworks.use'] };
/** Longer work is waited for. */
const RUN_WAITS: Calls = { methods: ['run.projects.locations.operations.get'] };
const COMPUTE_WAITS: Calls = {
  methods: ['compute.globalOperations.get', 'compute.regionOperations.get'],
};
/** gcloud counts its calls against the project itself (its setting billing/quota_project). */
const GCLOUD: Calls = { permissions: ['serviceusage.services.use'] };

const service = (...verbs: string[]): Calls => ({
  methods: verbs.map((verb) => `run.namespaces.services.${verb}`),
});
const job = (...verbs: string[]): Calls => ({
  methods: verbs.map((verb) => `run.namespaces.jobs.${verb}`),
});
const archive = (...verbs: string[]): Calls => ({
  at: 'archive',
  permissions: verbs.map((verb) => `storage.buckets.${verb}`),
});
const sql = (...verbs: string[]): Calls => ({
  permissions: verbs.map((verb) => `cloudsql.${verb}`),
});

/** By command of gcloud, as commands.json has it. */
export const GCLOUD_NEEDS: Needs = {
  'projects describe': [GCLOUD, { methods: ['cloudresourcemanager.projects.get'] }],
  'services list': [GCLOUD, { methods: ['serviceusage.services.list'] }],
  'iam service-accounts describe': [
    GCLOUD,
    { at: 'account', methods: ['iam.projects.serviceAccounts.get'] },
  ],
  'storage buckets describe': [
    GCLOUD,
    { at: 'state', permissions: ['storage.buckets.get'] },
    { at: 'archive', permissions: ['storage.buckets.get'] },
  ],
  'artifacts repositories describe': [
    GCLOUD,
    { at: 'repository', methods: ['artifactregistry.projects.locations.repositories.get'] },
  ],
  'storage ls': [GCLOUD, { at: 'state', permissions: ['storage.objects.list'] }],
  // Who sees the project sees whether it is paid for (projects.getBillingInfo).
  'billing projects describe': [GCLOUD, { permissions: ['resourcemanager.projects.get'] }],
  'compute networks describe': [GCLOUD, { permissions: ['compute.networks.get'] }],
  'compute project-info describe': [GCLOUD, { permissions: ['compute.projects.get'] }],
  'scheduler locations list': [GCLOUD, { permissions: ['cloudscheduler.locations.list'] }],
  // No page names a right for it; with this one the machines of what is there are seen anyway.
  'sql tiers list': [GCLOUD, sql('instances.list')],
  'pubsub subscriptions seek': [GCLOUD, { permissions: ['pubsub.subscriptions.consume'] }],
  'run regions list': [GCLOUD, { permissions: ['run.locations.list'] }],
  'run services list': [GCLOUD, service('list')],
  'run revisions describe': [GCLOUD, { methods: ['run.namespaces.revisions.get'] }],
  'run services describe': [GCLOUD, service('get')],
  'run services update-traffic': [GCLOUD, service('get', 'replaceService')],
  'run deploy': [GCLOUD, service('get', 'replaceService'), ACTS, IN_NETWORK],
  'run jobs deploy': [
    GCLOUD,
    job('get', 'create', 'replaceJob', 'run'),
    { methods: ['run.namespaces.executions.get'] },
    ACTS,
    IN_NETWORK,
  ],
  'run jobs execute': [GCLOUD, job('get', 'run'), { methods: ['run.namespaces.executions.get'] }],
  'beta run worker-pools list': [GCLOUD, { methods: ['run.namespaces.workerpools.list'] }],
  'beta run worker-pools describe': [GCLOUD, { methods: ['run.namespaces.workerpools.get'] }],
  'beta run worker-pools update-instance-split': [
    GCLOUD,
    { methods: ['run.namespaces.workerpools.get', 'run.namespaces.workerpools.replaceWorkerPool'] },
    // It puts the whole worker pool in place.
    ACTS,
    IN_NETWORK,
  ],
  'builds describe': [GCLOUD, { permissions: ['cloudbuild.builds.get'] }],
  'storage objects describe': [GCLOUD, { at: 'state', permissions: ['storage.objects.get'] }],
  'storage cat': [GCLOUD, { at: 'state', permissions: ['storage.objects.get'] }],
  // To put one in the place of another is to delete that one.
  'storage cp': [
    GCLOUD,
    { at: 'state', permissions: ['storage.objects.create', 'storage.objects.delete'] },
  ],
  'storage rm': [GCLOUD, { at: 'state', permissions: ['storage.objects.delete'] }],
};

/** What the build does besides gcloud and Terraform's resources. */
export const BUILD_NEEDS: Needs = {
  'Cloud Build: its own log': [{ permissions: ['logging.logEntries.create'] }],
  'Cloud Build: the source': [{ at: 'source', permissions: ['storage.objects.get'] }],
  'docker push': [
    {
      at: 'repository',
      permissions: [
        'artifactregistry.repositories.downloadArtifacts',
        'artifactregistry.repositories.uploadArtifacts',
      ],
    },
  ],
  'terraform init: the state': [
    {
      at: 'state',
      permissions: ['create', 'delete', 'get', 'list'].map((verb) => `storage.objects.${verb}`),
    },
  ],
};

/** By type of resource, `data.` before those that are only read. */
export const TERRAFORM_NEEDS: Needs = {
  'data.google_project': [{ methods: ['cloudresourcemanager.projects.get'] }],
  'data.google_service_account': [{ at: 'account', methods: ['iam.projects.serviceAccounts.get'] }],
  // One that is enabled is only read, and preflight stops where one is not.
  google_project_service: [{ methods: ['serviceusage.services.list'] }],
  google_project_iam_member: [granted('cloudresourcemanager.projects')],
  google_pubsub_topic: [managed('pubsub.projects.topics')],
  google_pubsub_topic_iam_member: [granted('pubsub.projects.topics')],
  google_pubsub_subscription: [
    managed('pubsub.projects.subscriptions'),
    { permissions: ['pubsub.topics.attachSubscription'] },
    ACTS,
  ],
  // Imported, not made; and never deleted. docs/access-control/iam-json of Cloud Storage.
  google_storage_bucket: [archive('get', 'update')],
  google_storage_bucket_iam_member: [archive('getIamPolicy', 'setIamPolicy')],
  google_pubsub_subscription_iam_member: [granted('pubsub.projects.subscriptions')],
  google_cloud_run_v2_service: [
    managed('run.projects.locations.services'),
    // `invoker_iam_disabled` says who may call.
    { methods: ['run.projects.locations.services.setIamPolicy'] },
    RUN_WAITS,
    ACTS,
    IN_NETWORK,
  ],
  google_cloud_run_v2_service_iam_member: [granted('run.projects.locations.services')],
  google_cloud_run_v2_job: [managed('run.projects.locations.jobs'), RUN_WAITS, ACTS, IN_NETWORK],
  google_cloud_run_v2_worker_pool: [
    {
      permissions: ['create', 'get', 'update', 'delete'].map((verb) => `run.workerpools.${verb}`),
    },
    RUN_WAITS,
    ACTS,
    IN_NETWORK,
  ],
  google_cloud_scheduler_job: [managed('cloudscheduler.projects.locations.jobs'), ACTS],
  google_secret_manager_secret: [managed('secretmanager.projects.secrets')],
  google_secret_manager_secret_version: [
    { methods: ['secretmanager.projects.secrets.addVersion'] },
    api('get destroy')('secretmanager.projects.secrets.versions'),
  ],
  google_secret_manager_secret_iam_member: [granted('secretmanager.projects.secrets')],
  // docs/postgres/iam-permissions of Cloud SQL.
  google_sql_database_instance: [
    sql('instances.create', 'instances.get', 'instances.update', 'instances.delete'),
    // To put it on a private address.
    { permissions: ['compute.networks.get', 'servicenetworking.services.get'] },
  ],
  google_sql_database: [
    sql('databases.create', 'databases.get', 'databases.update', 'databases.delete'),
  ],
  google_sql_user: [sql('users.create', 'users.list', 'users.update', 'users.delete')],
  google_compute_network: [changed('compute.networks'), COMPUTE_WAITS],
  google_compute_subnetwork: [
    changed('compute.subnetworks'),
    { methods: ['compute.subnetworks.setPrivateIpGoogleAccess'] },
    { permissions: ['compute.networks.updatePolicy'] },
    COMPUTE_WAITS,
  ],
  google_compute_global_address: [
    computed('compute.globalAddresses'),
    { methods: ['compute.globalAddresses.setLabels'] },
    { permissions: ['compute.networks.use'] },
    COMPUTE_WAITS,
  ],
  // docs/configure-private-services-access of VPC.
  google_service_networking_connection: [
    {
      methods: ['servicenetworking.services.connections.list', 'servicenetworking.operations.get'],
      permissions: ['servicenetworking.services.addPeering', 'compute.networks.addPeering'],
    },
  ],
  google_compute_region_network_endpoint_group: [
    {
      permissions: ['create', 'get', 'delete'].map(
        (verb) => `compute.regionNetworkEndpointGroups.${verb}`,
      ),
    },
    COMPUTE_WAITS,
  ],
  google_compute_security_policy: [
    changed('compute.securityPolicies'),
    api('addRule patchRule removeRule')('compute.securityPolicies'),
    COMPUTE_WAITS,
  ],
  google_compute_backend_service: [
    changed('compute.backendServices'),
    { methods: ['compute.backendServices.setSecurityPolicy'] },
    { permissions: ['compute.regionNetworkEndpointGroups.use', 'compute.securityPolicies.use'] },
    COMPUTE_WAITS,
  ],
  google_compute_url_map: [
    changed('compute.urlMaps'),
    { permissions: ['compute.backendServices.use'] },
    COMPUTE_WAITS,
  ],
  google_compute_managed_ssl_certificate: [computed('compute.sslCertificates'), COMPUTE_WAITS],
  google_compute_target_https_proxy: [
    computed('compute.targetHttpsProxies'),
    api('setSslCertificates setUrlMap')('compute.targetHttpsProxies'),
    { permissions: ['compute.urlMaps.use', 'compute.sslCertificates.get'] },
    COMPUTE_WAITS,
  ],
  google_compute_global_forwarding_rule: [
    {
      permissions: ['create', 'get', 'delete', 'setLabels', 'setTarget'].map(
        (verb) => `compute.globalForwardingRules.${verb}`,
      ),
    },
    { permissions: ['compute.globalAddresses.use', 'compute.targetHttpsProxies.use'] },
    COMPUTE_WAITS,
  ],
  google_monitoring_dashboard: [managed('monitoring.projects.dashboards')],
  google_monitoring_notification_channel: [managed('monitoring.projects.notificationChannels')],
  google_monitoring_uptime_check_config: [managed('monitoring.projects.uptimeCheckConfigs')],
  google_monitoring_custom_service: [managed('monitoring.services')],
  google_monitoring_slo: [managed('monitoring.services.serviceLevelObjectives')],
  google_monitoring_alert_policy: [managed('monitoring.projects.alertPolicies')],
  google_billing_budget: [
    {
      at: 'billing',
      methods: managed('billingbudgets.billingAccounts.budgets').methods ?? [],
    },
    // Its topic and its channels.
    { permissions: ['pubsub.topics.setIamPolicy', 'monitoring.notificationChannels.get'] },
  ],
};

export interface Need {
  readonly place: Place;
  readonly permission: string;
  /** The command or the type. */
  readonly of: string;
}

/** All rights that these commands, types and acts ask for. */
export function needsOf(
  needs: Needs,
  names: readonly string[],
  methods: Readonly<Record<string, readonly string[]>>,
): Need[] {
  return names.flatMap((of) =>
    (needs[of] ?? []).flatMap(({ at: place = 'project', methods: called = [], permissions = [] }) =>
      [...permissions, ...called.flatMap((method) => methods[method] ?? [])].map((permission) => ({
        ...{ place, permission, of },
      })),
    ),
  );
}

/** Every method that is named above. */
export const methodsNamed = (): string[] =>
  [GCLOUD_NEEDS, BUILD_NEEDS, TERRAFORM_NEEDS]
    .flatMap((needs) => Object.values(needs).flat())
    .flatMap(({ methods = [] }) => methods);
