/** A mistake in one of the files, and what the checks must say of it. */
export interface Mistake {
  readonly what: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  readonly told: string;
}

export const MISTAKES: readonly Mistake[] = [
  {
    what: 'a misspelt argument',
    file: 'relay.tf',
    from: 'session_affinity',
    to: 'session_afinity',
    told: 'session_afinity: the provider knows no such',
  },
  {
    what: 'a misspelt block',
    file: 'pubsub.tf',
    from: 'retry_policy {',
    to: 'retries {',
    told: 'retries: the provider knows no such',
  },
  {
    what: 'a misspelt argument inside a dynamic block',
    file: 'relay.tf',
    from: 'name  = env.key',
    to: 'nam  = env.key',
    told: 'env.name: is required',
  },
  {
    what: 'a block written as an argument',
    file: 'pubsub.tf',
    from: 'oidc_token {',
    to: 'oidc_token = {',
    told: 'oidc_token: is a block',
  },
  {
    what: 'a block that is missing',
    file: 'secrets.tf',
    from: 'replication {\n    auto {}\n  }',
    to: '',
    told: 'replication: is required',
  },
  {
    what: 'an argument that can only be read',
    file: 'network.tf',
    from: 'name                    =',
    to: 'gateway_ipv4 =',
    told: 'gateway_ipv4: can only be read',
  },
  {
    what: 'a type that does not exist',
    file: 'network.tf',
    from: '"google_compute_network"',
    to: '"google_network"',
    told: 'google_network: no such type',
  },
  {
    what: 'a word that is not allowed',
    file: 'relay.tf',
    from: '"INGRESS_TRAFFIC_ALL"',
    to: '"INGRESS_TRAFFIC_ANY"',
    told: '"INGRESS_TRAFFIC_ANY" is none of',
  },
  {
    what: 'a text where a number belongs',
    file: 'relay.tf',
    from: 'container_port = 8080',
    to: 'container_port = "x"',
    told: 'container_port: is a number',
  },
  {
    what: 'a text where a list belongs',
    file: 'edge.tf',
    from: 'domains = [each.value]',
    to: 'domains = "x"',
    told: 'domains: is a list',
  },
  {
    what: 'two blocks where one may be',
    file: 'scheduler.tf',
    from: 'retry_config {',
    to: 'retry_config {}\n retry_config {',
    told: 'retry_config: 2 blocks',
  },
  {
    what: 'a role that does not exist',
    file: 'accounts.tf',
    from: 'roles/pubsub.viewer',
    to: 'roles/pubsub.reader',
    told: 'Google has no such role',
  },
  {
    what: 'a custom role that bootstrap does not make',
    file: 'accounts.tf',
    from: 'roles/distriseSweep',
    to: 'roles/distriseBroom',
    told: 'bootstrap makes no such role',
  },
  {
    what: 'a variable that does not exist',
    file: 'relay.tf',
    from: 'var.image',
    to: 'var.picture',
    told: 'var.picture: no such variable',
  },
  {
    what: 'an attribute that a variable lacks',
    file: 'relay.tf',
    from: 'var.relay.memory',
    to: 'var.relay.ram',
    told: 'var.relay.ram: no such attribute',
  },
  {
    what: 'a local that does not exist',
    file: 'pubsub.tf',
    from: '= local.store_seconds',
    to: '= local.store_second',
    told: 'local.store_second: no such local',
  },
  {
    what: 'a resource that does not exist',
    file: 'pubsub.tf',
    from: 'google_pubsub_topic.fetch.id',
    to: 'google_pubsub_topic.fetched.id',
    told: 'fetched.id: no such resource',
  },
  {
    what: 'an attribute that a resource lacks',
    file: 'pubsub.tf',
    from: 'function["store"].uri',
    to: 'function["store"].url',
    told: 'url: no such attribute',
  },
  {
    what: 'a variable that nobody uses',
    file: 'variables.tf',
    from: 'variable "project"',
    to: 'variable "spare" {}\n\nvariable "project"',
    told: 'var.spare: nobody refers to it',
  },
  {
    what: 'a required variable of the environment that is missing',
    file: 'environment.tf',
    from: 'PROBE_URL',
    to: 'PROBE_ANNOUNCE',
    told: 'PROBE_URL is required',
  },
  {
    what: 'a database that is not named',
    file: 'environment.tf',
    from: 'DATABASE_NAME  ',
    to: 'LOG_FORMAT  ',
    told: 'store: DATABASE_NAME is required',
  },
  {
    what: 'a variable of the environment that nothing reads',
    file: 'environment.tf',
    from: 'WINDOW_BYTES_MAX ',
    to: 'WINDOW_BYTES ',
    told: 'relay: WINDOW_BYTES is set, and nothing',
  },
  {
    what: 'a secret that is not given',
    file: 'functions.tf',
    from: '{ PROBE_SECRET_KEY = "probe" }',
    to: '{}',
    told: 'probe: PROBE_SECRET_KEY is required',
  },
  {
    what: 'a variable of another service',
    file: 'functions.tf',
    from: 'local.environment_upkeep,',
    to: 'local.environment_events,',
    told: 'upkeep: EVENT_BYTES_MAX is set',
  },
];
