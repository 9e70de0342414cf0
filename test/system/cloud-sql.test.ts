import { openGoogleConnector } from '../../functions/cloud/cloud-sql.ts';
import type { PostgresConfiguration } from '../../functions/cloud/configuration.ts';
import { type Log, openLog } from '../../functions/cloud/log.ts';
import { openPostgres, type Postgres } from '../../functions/cloud/postgres.ts';
import { FakeCloudSql } from '../support/cloud-sql.ts';
import { usePostgres } from '../support/postgres.ts';
import { until } from '../support/until.ts';

const INSTANCE = 'a-project:us-central1:distrise';
/** Google's own 30 s would be waited for at the end of the test. */
const REFRESH_INTERVAL_MS = 500;
const USER = 'relay@a-project.iam';

const server = usePostgres();
let cloud: FakeCloudSql;
let database = '';
const lines: string[] = [];
const log: Log = openLog(
  { level: 'debug', format: 'json', component: 'test' },
  { write: (line) => void lines.push(line) },
);
const open: Postgres[] = [];

async function start(given: Partial<PostgresConfiguration> = {}): Promise<Postgres> {
  const postgres = await openPostgres({
    INSTANCE_CONNECTION_NAME: INSTANCE,
    DATABASE_NAME: database,
    DATABASE_USER: USER,
    DATABASE_IP_TYPE: 'PRIVATE',
    DATABASE_POOL_MAX: 3,
    DATABASE_STATEMENT_TIMEOUT_MS: 5_000,
    SQL_ADMIN_ENDPOINT: cloud.environment['SQL_ADMIN_ENDPOINT'],
    applicationName: 'distrise-test',
    log,
    openConnector: (configuration) => openGoogleConnector(configuration, REFRESH_INTERVAL_MS),
    ...given,
  });
  open.push(postgres);
  return postgres;
}

beforeEach(async () => {
  const { url, pool } = await server.createDatabase();
  database = new URL(url).pathname.slice(1);
  const { rowCount } = await pool.query('select 1 from pg_roles where rolname = $1', [USER]);
  if (rowCount === 0) await pool.query(`create role "${USER}" login`);
  cloud = await FakeCloudSql.start({
    instance: INSTANCE,
    postgresPort: Number(new URL(url).port),
    user: USER,
  });
  process.env['GCE_METADATA_HOST'] = cloud.environment['GCE_METADATA_HOST'];
});

afterEach(async () => {
  for (const postgres of open.splice(0)) await postgres.close();
  await cloud.stop();
});

/** Asks until there is an answer: connections that broke are noticed when they are used. */
const answers = ({ pool }: Postgres) =>
  until(() => pool.query('select 1'), { timeoutMs: 20_000, what: 'an answer of the database' });

describe('a pool to Cloud SQL', () => {
  it('logs in by IAM, with a certificate of its own and no password', async () => {
    const { pool } = await start();
    const { rows } = await pool.query('select current_user::text as who');
    expect(rows).toEqual([{ who: USER }]);
    expect(cloud.certificates).toHaveLength(1);
  });

  it('is told by SQLSTATE when the token is for somebody else', async () => {
    const { pool } = await start({ DATABASE_USER: 'store@a-project.iam' });
    await expect(pool.query('select 1')).rejects.toMatchObject({ code: '28000' });
  });

  it('gets new certificates before the old ones end, and uses them', async () => {
    // The connector asks four minutes before the end.
    cloud.certificateMs = 241_000;
    const { pool } = await start();
    await pool.query('select 1');
    cloud.certificateMs = 3_600_000;
    await until(() => cloud.certificates.length === 2, { what: 'a second certificate' });
    const shown = () => cloud.shown.filter((each) => each === fingerprint(1)).length;
    const used = async () => {
      const client = await pool.connect();
      client.release(true);
      // The connector tries a new certificate itself before it gives it to us.
      return shown() >= 2;
    };
    await until(used, { what: 'a connection with the second certificate' });
    expect(cloud.certificates).toHaveLength(2);
  });

  it('makes its connector again at once when nobody takes its certificate any more', async () => {
    const postgres = await start();
    await answers(postgres);
    await cloud.rotateAuthority();
    await postgres.pool.query('select 1').catch(() => undefined);
    const { rows } = await postgres.pool.query('select 1 as one');
    expect(rows).toEqual([{ one: 1 }]);
    expect(lines.join()).toContain('connector to Cloud SQL made again');
  });

  it('comes through an expired certificate and a SQL Admin API that is away', async () => {
    cloud.certificateMs = -1_000;
    cloud.signedMax = 1;
    const postgres = await start();
    await expect(postgres.pool.query('select 1')).rejects.toThrow();
    expect(cloud.certificates).toHaveLength(1);
    cloud.certificateMs = 3_600_000;
    cloud.signedMax = Number.POSITIVE_INFINITY;
    await answers(postgres);
  });

  it('comes through a restart of the instance', async () => {
    const postgres = await start();
    await answers(postgres);
    await cloud.down();
    await expect(postgres.pool.query('select 1')).rejects.toThrow();
    await cloud.up();
    await answers(postgres);
  });

  it('ends no process when the instance is down at the start and the API soon after', async () => {
    await cloud.down();
    cloud.signedMax = 1;
    const postgres = await start();
    await expect(postgres.pool.query('select 1')).rejects.toThrow();
    // Two calls that worked; then the connector's own refresh and our renewal, four tries each.
    await until(() => cloud.asked >= 9, { timeoutMs: 20_000, what: 'a refresh in vain' });
    cloud.signedMax = Number.POSITIVE_INFINITY;
    await cloud.up();
    await answers(postgres);
  });

  it('waits for a SQL Admin API that is away at the start, and works once it is back', async () => {
    cloud.outage = 503;
    const postgres = await start();
    await expect(postgres.pool.query('select 1')).rejects.toThrow();
    cloud.outage = undefined;
    await answers(postgres);
  });

  it('asks Google little while nothing works, however many connections are wanted', async () => {
    cloud.outage = 403;
    const postgres = await start();
    const tries = Array.from({ length: 50 }, () => postgres.pool.query('select 1'));
    const results = await Promise.allSettled(tries);
    expect(results.every(({ status }) => status === 'rejected')).toBe(true);
    await expect(postgres.pool.query('select 1')).rejects.toThrow();
    expect(cloud.asked).toBe(1);
  });
});

const fingerprint = (index: number) => cloud.certificates[index]?.fingerprint256 ?? '';
