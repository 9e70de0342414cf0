import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import type { Call } from './commands.ts';
import { applyDatabase, KEPT } from './kept.ts';
import { existing, lines, ToolFailure } from './tool.ts';
import type { Entry, Revisions, World } from './world.ts';

type Answer = (call: Call, world: World) => string;

const SERVICES = ['store', 'relay', 'fetch', 'upkeep', 'probe'];

function inProject({ flags, words }: Call, world: World): void {
  const project = flags['--project'] ?? words[0];
  if (!world.alive || project !== world.project) {
    throw new ToolFailure(`PERMISSION_DENIED: no project ${project}, or it is not yours`);
  }
}

function serviceOf({ words: [name = ''] }: Call, world: World) {
  const service = world.services[name];
  if (service === undefined) throw new ToolFailure(`NOT_FOUND: Cannot find service [${name}]`);
  return { name, service };
}

function followOf({ follow }: World): Revisions {
  if (follow === undefined) throw new ToolFailure('NOT_FOUND: Cannot find worker pool [follow]');
  return follow;
}

/** A new revision; its number goes on from the last one. What is not tied goes on to it. */
function addRevision(name: string, image: string, of: Revisions): string {
  const number = Object.keys(of.revisions).length + 1;
  const revision = `${name}-${String(number).padStart(5, '0')}-abc`;
  of.revisions[revision] = image;
  of.traffic = of.traffic.map((entry) => (entry.latest ? { ...entry, revision } : entry));
  return revision;
}

const withoutTag = (traffic: readonly Entry[], tag: string): Entry[] =>
  traffic.filter((entry) => entry.tag !== tag || entry.percent !== undefined);

/** `A=10,B=90`. */
const pairsOf = (text: string): [string, string][] =>
  text.split(',').map((pair) => pair.split('=') as [string, string]);

/** Cloud Run lists percents and tags as entries of their own. */
function moveTraffic(call: Call, world: World): string {
  const { service } = serviceOf(call, world);
  const { flags } = call;
  const revisions = Object.keys(service.revisions);
  const byTag = flags['--to-tags'];
  const wanted = pairsOf(flags['--to-revisions'] ?? byTag ?? '').filter(([name]) => name !== '');
  if (wanted.length > 0) {
    const total = wanted.reduce((sum, [, percent]) => sum + Number(percent), 0);
    if (total !== 100) throw new ToolFailure(`INVALID_ARGUMENT: traffic adds up to ${total}`);
    const tags = service.traffic.filter(({ tag }) => tag !== undefined);
    const shares = wanted.map(([name, percent]) => {
      const revision = byTag ? tags.find(({ tag }) => tag === name)?.revision : name;
      return { revision: existing(revisions, revision), percent: Number(percent) };
    });
    service.traffic = [...shares, ...tags];
    if (call.words[0] === 'relay') world.heard = [];
  }
  for (const [tag, revision] of pairsOf(flags['--update-tags'] ?? '')) {
    if (tag === '') continue;
    existing(revisions, revision);
    service.traffic = [...withoutTag(service.traffic, tag), { tag, revision }];
  }
  for (const tag of (flags['--remove-tags'] ?? '').split(',')) {
    service.traffic = withoutTag(service.traffic, tag);
  }
  return '';
}

const COLUMNS: Readonly<Record<string, (entry: Entry, service: string) => string>> = {
  'status.traffic.tag': ({ tag = '' }) => tag,
  'status.traffic.percent': ({ percent }) => String(percent ?? ''),
  'status.traffic.revisionName': ({ revision }) => revision,
  'status.traffic.url': ({ tag }, service) =>
    tag === undefined ? '' : `https://${tag}---${service}-xyz.a.run.app`,
};

function describeTraffic(call: Call, world: World): string {
  const { name, service } = serviceOf(call, world);
  const [, columns = ''] = /^csv\[no-heading\]\((.*)\)$/.exec(call.flags['--format'] ?? '') ?? [];
  return lines(
    service.traffic.map((entry) =>
      columns
        .split(',')
        .map((column) => (COLUMNS[column] as NonNullable<(typeof COLUMNS)[string]>)(entry, name))
        .join(','),
    ),
  );
}

const add = (list: string[], name: string): string => {
  if (list.includes(name)) throw new ToolFailure(`ALREADY_EXISTS: ${name}`);
  list.push(name);
  return '';
};

const drop = (from: Record<string, unknown>, { words: [name = ''] }: Call): string => {
  existing(Object.keys(from), name);
  delete from[name];
  return '';
};

/** Who is told by --member must be there. */
const member = ({ flags }: Call, { accounts }: World): string =>
  existing(
    accounts.map((account) => `serviceAccount:${account}`),
    flags['--member'],
  );

const GCLOUD: Readonly<Record<string, Answer>> = {
  'config get': () => 'someone@example.com',
  'projects describe': () => '123456789',
  'projects get-iam-policy': (_, { roles }) => lines(roles),
  'projects add-iam-policy-binding': (call, world) => {
    member(call, world);
    world.roles = [...new Set([...world.roles, call.flags['--role'] ?? ''])];
    return '';
  },
  'projects remove-iam-policy-binding': (call, world) => {
    const role = existing(world.roles, call.flags['--role']);
    world.roles = world.roles.filter((each) => each !== role);
    return '';
  },
  'projects delete': (_, world) => {
    world.alive = false;
    return '';
  },
  'services list': (_, { apis }) => lines(apis),
  'services enable': ({ words }, world) => {
    world.apis = [...new Set([...world.apis, ...words])];
    return '';
  },
  'iam service-accounts describe': ({ words: [name] }, { accounts }) => existing(accounts, name),
  'iam service-accounts create': ({ words: [name] }, world) =>
    add(world.accounts, `${name}@${world.project}.iam.gserviceaccount.com`),
  'iam service-accounts add-iam-policy-binding': (call, world) => {
    member(call, world);
    return existing(world.accounts, call.words[0]);
  },
  'iam roles describe': ({ words: [name = ''] }, { customRoles }) =>
    existing(Object.keys(customRoles), name),
  'iam roles create': ({ words: [name = ''], flags }, { customRoles }) => {
    if (name in customRoles) throw new ToolFailure(`ALREADY_EXISTS: ${name}`);
    customRoles[name] = flags['--permissions'] ?? '';
    return '';
  },
  'iam roles update': ({ words: [name = ''], flags }, { customRoles }) => {
    customRoles[existing(Object.keys(customRoles), name)] = flags['--permissions'] ?? '';
    return '';
  },
  'storage buckets describe': ({ words: [name] }, { buckets }) => existing(buckets, name),
  'storage buckets create': ({ words: [name = ''] }, { buckets }) => add(buckets, name),
  'storage buckets update': ({ words: [name] }, { buckets }) => existing(buckets, name),
  'storage buckets add-iam-policy-binding': ({ words: [name] }, { buckets }) =>
    existing(buckets, name),
  'artifacts repositories describe': ({ words: [name] }, world) =>
    existing(world.repositories, name),
  'artifacts repositories add-iam-policy-binding': (call, world) => {
    member(call, world);
    return existing(world.repositories, call.words[0]);
  },
  'artifacts repositories create': ({ words: [name = ''] }, world) => add(world.repositories, name),
  'artifacts locations list': (_, { regions }) => lines(regions.artifacts),
  'billing projects describe': (_, { billing }) => (billing ? 'True' : 'False'),
  'compute networks describe': ({ words: [name] }, { networks }) => existing(networks, name),
  'compute project-info describe': (_, { quotas }) =>
    lines(Object.entries(quotas).map(([metric, [limit, usage]]) => `${metric},${limit},${usage}`)),
  'scheduler locations list': (_, { regions }) => lines(regions.scheduler),
  'scheduler jobs list': (_, { schedules }) => lines(schedules),
  'scheduler jobs delete': ({ words: [name] }, world) => {
    existing(world.schedules, name);
    world.schedules = world.schedules.filter((each) => each !== name);
    return '';
  },
  'run regions list': (_, { regions }) => lines(regions.run),
  'run jobs list': (_, { jobs }) => lines(Object.keys(jobs)),
  'run services list': (_, { services }) => lines(Object.keys(services)),
  'run services describe': describeTraffic,
  'run services update-traffic': moveTraffic,
  'run services delete': (call, { services }) => drop(services, call),
  'run deploy': (call, world) => {
    const { name, service } = serviceOf(call, world);
    const revision = addRevision(name, call.flags['--image'] ?? '', service);
    const tag = call.flags['--tag'];
    if (tag !== undefined) {
      service.traffic = [...withoutTag(service.traffic, tag), { tag, revision }];
    }
    if (call.flags['--no-traffic'] === undefined) {
      throw new ToolFailure('this stand-in deploys without traffic only');
    }
    return '';
  },
  'run revisions describe': ({ words: [name = ''] }, { services }) => {
    const all = Object.assign({}, ...Object.values(services).map(({ revisions }) => revisions));
    return all[existing(Object.keys(all), name)];
  },
  'run jobs execute': ({ words: [name] }, { jobs }) => existing(Object.keys(jobs), name),
  'run jobs deploy': (call, world) => {
    const {
      words: [name = ''],
      flags,
    } = call;
    world.jobs[name] = flags['--image'] ?? '';
    const args = flags['--args'] ?? '';
    const tag = world.services['relay']?.traffic.find((entry) => entry.tag === 'candidate');
    if (name === 'check' && args.includes('wss://candidate---relay') && tag !== undefined) {
      world.heard = [...new Set([...world.heard, tag.revision])];
    }
    if (name === 'health') {
      const relay = args.split(',').find((each) => each.startsWith('relay-'));
      if (relay !== undefined && !world.heard.includes(relay))
        throw new ToolFailure(`${relay}: it writes no metrics`);
    }
    return '';
  },
  'run jobs delete': (call, { jobs }) => drop(jobs, call),
  'beta run worker-pools list': ({ flags: _ }, { follow }) => (follow ? 'follow' : ''),
  'beta run worker-pools describe': ({ flags }, world) => {
    const { revisions, traffic } = followOf(world);
    return flags['--flatten'] === undefined
      ? (Object.keys(revisions).at(-1) ?? '')
      : lines(traffic.map(({ percent, revision }) => `${percent},${revision}`));
  },
  'beta run worker-pools update-instance-split': ({ flags }, world) => {
    const follow = followOf(world);
    const [[revision = '', percent] = []] = pairsOf(flags['--to-revisions'] ?? '');
    existing(Object.keys(follow.revisions), revision);
    follow.traffic = [{ revision, percent: Number(percent) }];
    return '';
  },
  'beta run worker-pools revisions list': (_, world) =>
    lines(
      Object.entries(followOf(world).revisions)
        .map((pair) => pair.join(','))
        .toReversed(),
    ),
  'builds describe': ({ words: [name = ''] }, { builds }) =>
    builds[existing(Object.keys(builds), name)] ?? '',
  ...KEPT,
};

/** Answers like gcloud. */
export const gcloud: Answer = (call, world) => {
  const isLocal = call.command.startsWith('config') || call.command.startsWith('storage');
  if (!isLocal) inProject(call, world);
  const region = call.flags['--region'];
  if (region !== undefined && region !== world.region && !call.command.startsWith('builds')) {
    throw new ToolFailure(`NOT_FOUND: nothing in ${region}`);
  }
  return GCLOUD[call.command]?.(call, world) ?? '';
};

/** Answers like docker. */
export const docker: Answer = ({ command, words: [name = ''] }) =>
  command === 'inspect'
    ? `${name.split(':')[0]}@sha256:${createHash('sha256').update(name).digest('hex')}`
    : '';

/** Whether a file of infra/ leaves the image of what it makes to others. */
const leavesImage = (file: string): boolean =>
  /ignore_changes = .*containers\[0\]\.image/.test(readFileSync(file, 'utf8'));

/**
 * A revision of what infra/ says now. Each version reads an environment of its own here, and an
 * image that is given another one's does not start.
 */
function applyRevision(name: string, file: string, image: string, known: Revisions | undefined) {
  const of = known ?? { revisions: {}, traffic: [{ revision: '', percent: 100, latest: true }] };
  const latest = Object.values(of.revisions).at(-1);
  if (latest === image) return of;
  if (latest !== undefined && leavesImage(file)) {
    throw new ToolFailure(`Revision of ${name} is not ready: the image refuses its environment`);
  }
  addRevision(name, image, of);
  return of;
}

/** Answers like Terraform in infra/: what it does not find in these files it refuses. */
export const terraform: Answer = (call, world) => {
  const { command, words, flags } = call;
  if (command === 'state list') return lines(world.state.addresses);
  if (command === 'state rm') {
    existing(world.state.addresses, words[0]);
    world.state.addresses = world.state.addresses.filter((each) => each !== words[0]);
    return '';
  }
  if (command === 'init') {
    const [bucket = ''] = call.all('-backend-config').filter((each) => each.startsWith('bucket='));
    world.state.bucket = existing(world.buckets, `gs://${bucket.slice('bucket='.length)}`);
    return '';
  }
  if (command === 'output' && words[0] === 'database') {
    if (world.state.database === undefined) throw new ToolFailure('Output "database" not found');
    return `${world.project}:${world.region}:${world.state.database}`;
  }
  if (command === 'output' && words[0] === 'domain') {
    return world.domain === '' ? '' : `${world.domain} open 203.0.113.7`;
  }
  if (command === 'output') {
    return words[0] === 'relay_url' ? 'wss://relay-xyz.a.run.app' : '["https://console/1"]';
  }
  const variables = readFileSync('variables.tf', 'utf8');
  const values = new Map(call.all('-var').map((each) => each.split('=') as [string, string]));
  for (const name of values.keys()) {
    if (!variables.includes(`variable "${name}"`)) throw new ToolFailure(`no variable ${name}`);
  }
  const files = call.all('-var-file').map((file) => {
    if (!existsSync(file)) throw new ToolFailure(`no file ${file}`);
    return readFileSync(file, 'utf8');
  });
  const image = values.get('image') ?? '';
  world.jobs['migrate'] = image;
  applyDatabase(
    values.get('database_instance') ?? '',
    values.get('database_taken_in') === 'true',
    world,
  );
  world.profile = /profiles\/(\w+)/.exec(call.all('-var-file')[0] ?? '')?.[1] ?? '';
  world.domain = values.get('domain') ?? '';
  world.networks = ['distrise'];
  world.objects[`${world.state.bucket}/distrise/default.tfstate`] = '{}';
  if (flags['-target'] !== undefined) return '';
  world.schedules = ['fetch', 'upkeep'];
  for (const name of SERVICES) {
    world.pointed[name] = values.get('database_instance') ?? '';
    const file = name === 'relay' ? 'relay.tf' : 'functions.tf';
    world.services[name] = applyRevision(name, file, image, world.services[name]);
  }
  if (files.some((text) => /^follow\s*=\s*true/m.test(text))) {
    world.follow = applyRevision('follow', 'functions.tf', image, world.follow);
  }
  world.alerts ||= values.get('monitoring_policies') !== 'false';
  return '';
};
