/**
 * Writes commands.json: the flags of each command that our scripts call, as the tools list them
 * themselves. Run it where gcloud, docker and terraform are installed, after a new command:
 *
 *   node test/support/deploy/derive-commands.ts
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Commands, Flags } from './commands.ts';

const GCLOUD = [
  'projects describe',
  'projects get-iam-policy',
  'projects add-iam-policy-binding',
  'projects remove-iam-policy-binding',
  'projects delete',
  'projects undelete',
  'projects create',
  'config get',
  'billing projects link',
  'billing projects describe',
  'compute networks describe',
  'compute project-info describe',
  'services list',
  'services enable',
  'beta services identity create',
  'iam service-accounts describe',
  'iam service-accounts create',
  'iam service-accounts add-iam-policy-binding',
  'iam roles describe',
  'iam roles create',
  'iam roles update',
  'storage ls',
  'storage cat',
  'storage cp',
  'storage rm',
  'storage buckets describe',
  'storage buckets create',
  'storage buckets update',
  'storage buckets add-iam-policy-binding',
  'storage objects describe',
  'artifacts locations list',
  'artifacts repositories describe',
  'artifacts repositories create',
  'artifacts repositories add-iam-policy-binding',
  'builds submit',
  'builds describe',
  'builds cancel',
  'run regions list',
  'run services list',
  'run services describe',
  'run services delete',
  'run services update-traffic',
  'run revisions describe',
  'run deploy',
  'run jobs update',
  'run jobs execute',
  'run jobs deploy',
  'run jobs delete',
  'run jobs list',
  'beta run worker-pools list',
  'beta run worker-pools describe',
  'beta run worker-pools update-instance-split',
  'beta run worker-pools revisions list',
  'beta run worker-pools delete',
  'scheduler locations list',
  'scheduler jobs list',
  'scheduler jobs delete',
  'scheduler jobs pause',
  'scheduler jobs resume',
  'sql tiers list',
  'sql instances list',
  'sql instances clone',
  'sql instances delete',
  'sql instances patch',
  'sql backups describe',
  'sql backups list',
  'sql backups restore',
  'logging read',
  'pubsub subscriptions seek',
];
const DOCKER = ['build', 'push', 'inspect', 'run'];
const TERRAFORM = ['init', 'apply', 'output', 'state list', 'state rm'];

interface Branch {
  readonly commands: Readonly<Record<string, Branch>>;
  readonly flags: Readonly<Record<string, unknown>>;
}

const run = (tool: string, ...args: string[]): string =>
  execFileSync(tool, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

function gcloudTree(): { readonly tree: Branch; readonly version: string } {
  const root = run('gcloud', 'info', '--format=value(installation.sdk_root)').trim();
  const text = readFileSync(join(root, 'data', 'cli', 'gcloud_completions.py'), 'utf8');
  return {
    // Python's literal is JSON here.
    tree: JSON.parse(text.slice(text.indexOf('{'))) as Branch,
    version: readFileSync(join(root, 'VERSION'), 'utf8').trim(),
  };
}

function flagsOf({ flags }: Branch): Flags {
  return Object.fromEntries(
    Object.entries(flags).map(([name, kind]) => [name, kind === 'bool' ? 'bool' : 'value']),
  );
}

/** `      --file string   Name of` has a value, `      --no-cache   Do not` has none. */
function dockerFlags(command: string): Flags {
  const found = run('docker', command, '--help').matchAll(/^ {2,6}(?:-\w, )?(--[\w-]+)( \w+)? /gm);
  return Object.fromEntries([...found].map(([, name, kind]) => [name, kind ? 'value' : 'bool']));
}

/** `  -target=resource  Limit`, `  -var 'foo=bar'  Set`, `  -json  If`. */
function terraformFlags(...commands: string[]): Flags {
  const text = commands
    .map((command) => run('terraform', ...command.split(' '), '-help'))
    .join('\n');
  const found = text.matchAll(/^ {2}(-[a-z-]+)(=\S+| '\S+')?(?: |$)/gm);
  return Object.fromEntries([...found].map(([, name, kind]) => [name, kind ? 'value' : 'bool']));
}

const { tree, version } = gcloudTree();
const commands: Commands = {
  source: [
    `Google Cloud SDK ${version}: data/cli/gcloud_completions.py`,
    `${run('docker', '--version').trim()}: docker COMMAND --help`,
    `${run('terraform', 'version').split('\n')[0]}: terraform COMMAND -help`,
  ],
  gcloud: Object.fromEntries(
    GCLOUD.map((words) => {
      const branch = words.split(' ').reduce((at: Branch, word) => {
        const next = at.commands[word];
        if (next === undefined) throw new Error(`gcloud has no "${words}"`);
        return next;
      }, tree);
      return [words, flagsOf(branch)];
    }),
  ),
  gcloudEverywhere: flagsOf(tree),
  docker: Object.fromEntries(DOCKER.map((command) => [command, dockerFlags(command)])),
  terraform: Object.fromEntries(
    TERRAFORM.map((command) => [
      command,
      // Its help leaves to that of plan what they share.
      command === 'apply' ? terraformFlags('apply', 'plan') : terraformFlags(command),
    ]),
  ),
};
writeFileSync(
  process.argv[2] ?? join(import.meta.dirname, 'commands.json'),
  `${JSON.stringify(commands, null, 2)}\n`,
);
