import { readFileSync } from 'node:fs';
import type { Call } from './commands.ts';
import { existing, lines, ToolFailure } from './tool.ts';
import type { World } from './world.ts';

/** What holds something: objects in buckets, and databases. */

const IF_GENERATION = '--if-generation-match';

/** The generation of an object, 0 where it is not there, if it is the one that the call wants. */
function expected(generation = 0, flags: Call['flags']): number {
  if (flags[IF_GENERATION] === String(generation)) return generation;
  throw new ToolFailure(
    'HTTPError 412: At least one of the pre-conditions you specified did not hold',
  );
}

const hasBucket = (url: string, { buckets }: World): string =>
  existing(buckets, url.split('/').slice(0, 3).join('/'));

function objects({ words: [url = ''] }: Call, world: World): string {
  const bucket = hasBucket(url, world);
  const all = Object.keys(world.objects).filter((each) => each.startsWith(`${bucket}/`));
  const end = url.split('**')[1];
  const found = all.filter((each) => end === undefined || each.endsWith(end));
  if (end !== undefined && found.length === 0) throw new ToolFailure(`${url} matched no objects`);
  return lines(found);
}

function instances({ flags }: Call, { databases }: World): string {
  const [, name] = /^name=([\w-]+)$/.exec(flags['--filter'] ?? '') ?? [];
  if (name === undefined) {
    const wantsReplicas = flags['--filter']?.includes('!=') === true;
    const all = Object.keys(databases);
    return lines(all.filter((each) => each.endsWith('-replica') === wantsReplicas));
  }
  return databases[name] === undefined ? '' : 'RUNNABLE';
}

function make(name: string, made: World['databases'][string], world: World): string {
  if (world.databases[name] !== undefined) throw new ToolFailure(`ALREADY_EXISTS: ${name}`);
  world.databases[name] = made;
  return '';
}

const textOf = ([url, { text }]: [string, World['locks'][string]]) => [url, text] as const;

export const BACKUP = 'projects/my-relay-123/backups/4f2c7a';

export const KEPT: Readonly<Record<string, (call: Call, world: World) => string>> = {
  'storage ls': objects,
  'storage objects describe': ({ words: [name = ''] }, { locks }) =>
    String(locks[existing(Object.keys(locks), name)]?.generation),
  'storage cat': ({ words: [name = ''] }, { locks, objects: texts }) => {
    const [url = '', generation] = name.split('#');
    if (generation === undefined) {
      const all = { ...texts, ...Object.fromEntries(Object.entries(locks).map(textOf)) };
      return all[existing(Object.keys(all), url)] ?? '';
    }
    const lock = locks[existing(Object.keys(locks), url)];
    if (String(lock?.generation) !== generation) throw new ToolFailure(`NOT_FOUND: ${name}`);
    return lock?.text ?? '';
  },
  'storage cp': ({ words: [from = '', url = ''], flags }, world) => {
    hasBucket(url, world);
    const text = readFileSync(from, 'utf8');
    if (flags[IF_GENERATION] === undefined) world.objects[url] = text;
    else {
      const generation = expected(world.locks[url]?.generation, flags);
      world.locks[url] = { generation: generation + 1_000, text: text.trimEnd() };
    }
    return '';
  },
  'storage rm': ({ words: [url = ''], flags }, { locks, objects: texts }) => {
    if (flags[IF_GENERATION] === undefined) delete texts[existing(Object.keys(texts), url)];
    else {
      expected(locks[existing(Object.keys(locks), url)]?.generation, flags);
      delete locks[url];
    }
    return '';
  },
  'sql tiers list': (_, { regions }) =>
    lines(['db-g1-small', 'db-custom-1-3840'].map((tier) => `${tier}\t${regions.sql.join(',')}`)),
  'sql instances list': instances,
  'sql instances clone': ({ words: [from = '', to = ''], flags }, world) =>
    make(
      to,
      {
        from: existing(Object.keys(world.databases), from),
        at: flags['--point-in-time'] ?? '',
        runs: true,
      },
      world,
    ),
  'sql instances patch': ({ words: [name = ''], flags }, world) => {
    const { [existing(Object.keys(world.databases), name)]: database } = world.databases;
    const policy = flags['--activation-policy'];
    if (database !== undefined && policy !== undefined) database.runs = policy !== 'NEVER';
    return '';
  },
  'sql instances delete': ({ words: [name = ''] }, { databases }) => {
    delete databases[existing(Object.keys(databases), name)];
    return '';
  },
  'sql backups list': () => lines([BACKUP]),
  'sql backups describe': ({ words: [name = ''] }) => {
    existing([BACKUP], name);
    return '2026-11-24T03:00:12.345Z';
  },
  'sql backups restore': ({ words: [name = ''], flags }, world) =>
    make(
      flags['--restore-instance'] ?? '',
      { from: existing([BACKUP], name), at: '', runs: true },
      world,
    ),
  'pubsub subscriptions seek': ({ words: [name], flags }, world) => {
    existing(['incoming-store'], name);
    world.replays.push({ since: flags['--time'] ?? '', into: world.pointed['store'] ?? '' });
    return '';
  },
};

/** What Terraform knows of the database, and what it would do to it. */
export function applyDatabase(name: string, takenIn: boolean, world: World): void {
  const { state, databases } = world;
  const held = state.addresses.includes('google_sql_database_instance.main');
  if (held && state.database !== name) {
    throw new ToolFailure(
      `Instance cannot be destroyed: ${state.database} has deletion_protection`,
    );
  }
  if (!held && !takenIn && databases[name] !== undefined) {
    throw new ToolFailure(`instanceAlreadyExists: ${name}`);
  }
  if (takenIn && databases[name] === undefined) {
    throw new ToolFailure(`Cannot import non-existent remote object: ${name}`);
  }
  databases[name] ??= { runs: true };
  databases[name].runs = true;
  state.database = name;
  state.addresses = [
    ...['google_pubsub_topic.incoming', 'google_sql_database.main'],
    ...['google_sql_database_instance.main', 'google_sql_user.service["store"]'],
  ];
}
