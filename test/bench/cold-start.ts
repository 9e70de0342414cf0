import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { WebSocket } from 'ws';
import { migrate } from '../../functions/database/migrate.ts';
import { FakeCloudSql } from '../support/cloud-sql.ts';
import { startPostgres } from '../support/postgres.ts';
import { openTestPubSub } from '../support/pubsub.ts';

/**
 * From the start of the relay's process to its first accepted socket, with what it stands on beside
 * it: by a plain URL, and by Cloud SQL's connector with its certificate.
 * `node test/bench/cold-start.ts [runs] [main]`, where main is functions/relay/main.ts, or the built
 * dist/functions/relay/main.js (`npm run build`, then `node infra/bundle.js` for one file a service).
 */
const runs = Number(process.argv[2] ?? 7);
const main = process.argv[3] ?? 'functions/relay/main.ts';
const INSTANCE = 'a-project:us-central1:distrise';
const USER = 'relay@a-project.iam';
const TICKS_PER_SECOND = 100;

type Variables = Readonly<Record<string, string>>;

/** CPU that the process has used, in milliseconds. */
function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS_PER_SECOND;
}

async function coldStart(variables: Variables): Promise<{ tookMs: number; cpuMs: number }> {
  const env = { ...process.env, PORT: '0', METRICS: 'off', LOG_LEVEL: 'warning', ...variables };
  const began = performance.now();
  const child = spawn(process.execPath, [main], {
    env,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  const socket = new WebSocket(`ws://127.0.0.1:${port}`);
  await once(socket, 'open');
  const figures = { tookMs: performance.now() - began, cpuMs: cpuMs(child.pid ?? 0) };
  socket.terminate();
  child.kill('SIGKILL');
  await once(child, 'exit');
  return figures;
}

const middle = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] ?? 0;

const postgres = await startPostgres();
const database = await postgres.createDatabase();
await migrate(database.pool);
await database.pool.query(`create role "${USER}" superuser login`);
const pubsub = await openTestPubSub(['incoming', 'stored', 'incoming-dead', 'fetch']);
const cloud = await FakeCloudSql.start({
  instance: INSTANCE,
  postgresPort: postgres.port,
  user: USER,
});
const queue = { PUBSUB_EMULATOR_HOST: pubsub.host, GOOGLE_CLOUD_PROJECT: pubsub.project };
const ways: Readonly<Record<string, Variables>> = {
  'by a URL': { ...queue, DATABASE_URL: database.url },
  'by Cloud SQL': {
    ...queue,
    ...cloud.environment,
    INSTANCE_CONNECTION_NAME: INSTANCE,
    DATABASE_NAME: new URL(database.url).pathname.slice(1),
    DATABASE_USER: USER,
  },
};
const rows: Record<string, object> = {};
for (const [way, variables] of Object.entries(ways)) {
  const all = [];
  for (let run = 0; run < runs; run += 1) all.push(await coldStart(variables));
  const took = all.map(({ tookMs }) => Math.round(tookMs));
  rows[way] = {
    'median ms': middle(took),
    'fastest ms': Math.min(...took),
    'slowest ms': Math.max(...took),
    'median CPU ms': middle(all.map((each) => each.cpuMs)),
  };
}
console.table(rows);
await cloud.stop();
await pubsub.remove();
await database.drop();
await postgres.stop();
process.exit(0);
