import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { Cluster } from '../../../functions/local/cluster.ts';
import { Part } from '../../../functions/local/part.ts';
import { findPorts } from '../../../functions/local/ports.ts';
import { clearPostmasterLock, findPostmaster } from '../../../functions/local/postmaster.ts';
import { makeFolder } from '../../support/local/folder.ts';
import { ListeningHost } from '../../support/local/host.ts';

const temporary = makeFolder();
const path = join(temporary.path, 'postgres');
const { signal } = new AbortController();
const fast = [{ signal: 'SIGINT' as const, waitMs: 5_000 }];
const parts: Part[] = [];
let stranger: ChildProcess | undefined;
afterAll(async () => {
  for (const part of parts) await part.stop(fast);
  stranger?.kill();
  temporary.remove();
});

const start = async (): Promise<{ cluster: Cluster; part: Part }> => {
  const [port] = (await findPorts(1)) as [number];
  const cluster = await Cluster.open(path, port, signal);
  const part = new Part(cluster.part(process.env), new ListeningHost());
  parts.push(part);
  await part.start();
  await cluster.createDatabase();
  return { cluster, part };
};

const ask = async (cluster: Cluster, sql: string): Promise<unknown> => {
  const client = new pg.Client({ connectionString: cluster.url });
  await client.connect();
  const { rows } = await client.query({ text: sql, rowMode: 'array' });
  await client.end();
  return rows[0]?.[0];
};

describe('the built-in PostgreSQL', () => {
  it('keeps what it holds from one start to the next, durably and on a new port', async () => {
    const first = await start();
    expect(findPostmaster(path)).toBe(first.part.pid);
    await ask(first.cluster, 'CREATE TABLE kept AS SELECT 42 AS value');
    expect(await ask(first.cluster, 'SHOW fsync')).toBe('on');
    expect(await ask(first.cluster, 'SHOW synchronous_commit')).toBe('on');
    await first.part.stop(fast);
    const second = await start();
    expect(await ask(second.cluster, 'SELECT value FROM kept')).toBe(42);
    await second.part.stop(fast);
  });

  it('starts although the process number in a dead server’s lock now is a stranger’s', async () => {
    const [running] = [await start()];
    const lock = readFileSync(join(path, 'postmaster.pid'), 'utf8');
    await running.part.stop(fast);
    stranger = spawn('sleep', ['60']);
    await once(stranger, 'spawn');
    const stale = lock.replace(/^\d+/, String(stranger.pid));
    writeFileSync(join(path, 'postmaster.pid'), stale);
    expect(findPostmaster(path)).toBeUndefined();
    await clearPostmasterLock(path);
    expect(existsSync(join(path, 'postmaster.pid'))).toBe(false);
    expect(stranger.exitCode).toBeNull();
  });

  it('refuses data of another major version and says which', async () => {
    const other = join(temporary.path, 'other');
    mkdirSync(other);
    writeFileSync(join(other, 'PG_VERSION'), '15\n');
    await expect(Cluster.open(other, 1, signal)).rejects.toThrow(
      /made by PostgreSQL 15, and this Distrise brings PostgreSQL 18/,
    );
  });

  it('leaves a folder alone that is none of its own', async () => {
    const other = join(temporary.path, 'photographs');
    mkdirSync(other);
    await expect(Cluster.open(other, 1, signal)).rejects.toThrow(/holds no PostgreSQL data/);
  });
});
