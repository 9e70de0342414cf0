import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrate } from '../../../functions/database/migrate.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { until } from '../../support/until.ts';

let database: TestDatabase;
let directory: string;
beforeEach(async () => {
  database = await createDatabase();
  directory = mkdtempSync(join(tmpdir(), 'migrations-'));
  writeFileSync(join(directory, '0001_first.sql'), 'create table things (id int);');
  await migrate(database.pool, undefined, directory);
  writeFileSync(join(directory, '0002_second.sql'), 'alter table things add column name text;');
});
afterEach(async () => {
  rmSync(directory, { recursive: true });
  await database.drop();
});

describe('a migration', () => {
  it('lets others read on while it waits for one who reads for long', async () => {
    const reader = await database.pool.connect();
    await reader.query('begin');
    await reader.query('select from things');
    const migrated = migrate(database.pool, undefined, directory);
    const waiting = async () => {
      const { rows } = await database.pool.query(
        "select from pg_locks where not granted and relation = 'things'::regclass",
      );
      return rows.length > 0;
    };
    await until(waiting, { what: 'the wait for the lock' });
    // Behind a change that waited without an end, this would wait as long.
    await database.pool.query('select from things');
    await reader.query('commit');
    reader.release();
    await migrated;
    await database.pool.query('select name from things');
  });

  it('leaves no setting behind on a connection that it was lent', async () => {
    await migrate(database.pool, undefined, directory);
    const { rows } = await database.pool.query<{ lock_timeout: string }>('show lock_timeout');
    expect(rows[0]?.lock_timeout).toBe('0');
  });

  it('that fails for another reason is not tried again, and changes nothing', async () => {
    writeFileSync(join(directory, '0003_third.sql'), 'create table others (id int); nonsense;');
    await expect(migrate(database.pool, undefined, directory)).rejects.toThrow(/nonsense/);
    const { rows } = await database.pool.query("select to_regclass('others') as found");
    expect(rows).toEqual([{ found: null }]);
  });
});
