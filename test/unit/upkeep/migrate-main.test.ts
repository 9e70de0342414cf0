import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { metricDescriptors } from '../../../functions/cloud/metrics/points.ts';
import { openTestMonitoring } from '../../support/monitoring/server.ts';
import { createDatabase } from '../../support/postgres.ts';

const MAIN = join(import.meta.dirname, '../../../functions/upkeep/migrate-main.ts');

it('the migration makes tables, and tells Cloud Monitoring of every metric before alerts name it', async () => {
  const monitoring = await openTestMonitoring(Date.now);
  const database = await createDatabase();
  try {
    const child = spawn(process.execPath, [MAIN], {
      env: {
        DATABASE_URL: database.url,
        GOOGLE_CLOUD_PROJECT: 'distrise-test',
        MONITORING_EMULATOR_HOST: `127.0.0.1:${monitoring.server.port}`,
      },
      stdio: 'ignore',
    });
    expect(await once(child, 'exit')).toEqual([0, null]);
    const [known] = await monitoring.client.listMetricDescriptors({
      name: 'projects/distrise-test',
    });
    const types = known.map(({ type }) => type);
    expect(types).toEqual(expect.arrayContaining(metricDescriptors().map(({ type }) => type)));
    await database.pool.query('SELECT FROM events LIMIT 1');
  } finally {
    await database.drop();
    await monitoring.close();
  }
}, 60_000);
