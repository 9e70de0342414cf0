import { MigrationFailure } from '../../../functions/database/migration-failure.ts';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PG_MIGRATE_LOCK_ID } from 'node-pg-migrate';
import { type MigrateOptions, migrate } from '../../../functions/database/migrate.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { until } from '../../support/until.ts';

let database: TestDatabase;
let directory: string;
beforeEach(async () => {
  database = await createDatabase();
  directory = mkdtempSync(join(tmpdir(), 'migrations-'));
  file('0001_first.sql', 'create table things (id int);');
  await migrateHere();
  file('0002_second.sql', 'alter table things add column name text;');
});
afterEach(async () => {
  rmSync(directory, { recursive: true });
  await database.drop();
});

const file = (name: string, sql: string) => writeFileSync(join(directory, name), sql);

const migrateHere = (more: MigrateOptions = {}) => migrate(database.pool, { directory, ...more });

const failure = (more?: MigrateOptions) =>
  migrateHere(more).then(
    () => undefined,
    (error: Error & { code?: string }) => error,
  );

/** The answer to a query of one value, without its `select`. */
async function ask<T>(sql: string): Promise<T | undefined> {
  const { rows } = await database.pool.query<{ answer: T }>(`select (select ${sql}) as answer`);
  return rows[0]?.answer;
}

/** Somebody whose transaction has read a table and goes on. */
async function longReader() {
  const reader = await database.pool.connect();
  await reader.query('begin');
  await reader.query('select from things');
  return {
    async ends() {
      await reader.query('commit');
      reader.release();
    },
  };
}

const waitsForLock = () =>
  until(
    () => ask("exists (select from pg_locks where not granted and relation = 'things'::regclass)"),
    { what: 'the wait for the lock' },
  );

describe('a migration', () => {
  it('lets others read and write on while it waits for one who reads for long', async () => {
    const reader = await longReader();
    const migrated = migrateHere();
    await waitsForLock();
    // Behind a change that waited without an end, these would wait as long.
    await database.pool.query('select from things');
    await waitsForLock();
    await database.pool.query('insert into things values (1)');
    await reader.ends();
    await migrated;
    await database.pool.query('select name from things');
  });

  it('that gets no lock gives up in the end, says so, and works when it is free', async () => {
    const reader = await longReader();
    const error = await failure({ triesMax: 2 });
    expect(error).toMatchObject({ name: 'MigrationFailure', code: '55P03' });
    expect(error?.message).toMatch(
      /^migration 0002_second\.sql: .*\(55P03\).*pg_terminate_backend/,
    );
    await database.pool.query('insert into things values (1)');
    await reader.ends();
    await migrateHere();
    expect(await ask('count(name) from things')).toBe('0');
  });

  it('leaves no setting and no lock behind on a connection that it was lent', async () => {
    await migrateHere();
    const { rows } = await database.pool.query<{ lock_timeout: string }>('show lock_timeout');
    expect(rows[0]?.lock_timeout).toBe('0');
    expect(await ask("count(*) from pg_locks where locktype = 'advisory'")).toBe('0');
  });
});

describe('a migration that fails in the middle', () => {
  beforeEach(() => {
    file('0003_third.sql', 'create table others (id int); alter table nothing add column n int;');
  });

  it('keeps the files before it, and nothing of its own', async () => {
    await failure();
    expect(await ask("to_regclass('others')")).toBeNull();
    expect(await ask('array_agg(name order by id) from migrations')).toEqual([
      '0001_first',
      '0002_second',
    ]);
  });

  it('says which file, the SQLSTATE, and what to do', async () => {
    const error = await failure();
    expect(error).toMatchObject({ name: 'MigrationFailure', code: '42P01' });
    expect(error?.message).toMatch(
      /^migration 0003_third\.sql: relation "nothing" does not exist \(42P01\)\. Nothing of it has happened.* then deploy again\.$/,
    );
  });

  it.each([
    ['42501', 'set role pg_monitor; create table public.mine (id int);', /user that owns/],
    ['23505', 'insert into things values (1), (1); create unique index on things (id);', /Rows/],
    ['22P02', `select 'private words'::int;`, /Mend what the message names/],
  ])('says what to do about SQLSTATE %s', async (code, sql, advice) => {
    file('0003_third.sql', sql);
    const error = await failure();
    expect(error).toMatchObject({ code, message: expect.stringMatching(advice) });
  });

  it('frees the lock, so that the next one works once the file is mended', async () => {
    await failure();
    const free = `pg_try_advisory_lock(${PG_MIGRATE_LOCK_ID})`;
    expect(await ask(`${free} and pg_advisory_unlock_all() is not null`)).toBe(true);
    file('0003_third.sql', 'create table others (id int);');
    await migrateHere();
    expect(await ask("to_regclass('others')")).toBe('others');
  });

  it('because the server went away is done whole by the next one', async () => {
    file('0003_third.sql', 'create table others (id int); select pg_sleep(60);');
    const failed = failure();
    const sleeper = `from pg_stat_activity where query like '%pg_sleep(60)%' and pid <> pg_backend_pid()`;
    await until(() => ask(`bool_or(pg_terminate_backend(pid)) ${sleeper}`), {
      what: 'the migration to sleep',
    });
    expect(await failed).toMatchObject({ name: 'MigrationFailure', code: '57P01' });
    file('0003_third.sql', 'create table others (id int);');
    await migrateHere();
    expect(await ask("to_regclass('others')")).toBe('others');
  });
});

it('a statement that our own time ended is told so, with what to do', () => {
  const cause = Object.assign(new Error('canceling statement'), { code: '57014' });
  expect(new MigrationFailure('0002.sql', cause).message).toContain(
    'DATABASE_STATEMENT_TIMEOUT_MS',
  );
});
