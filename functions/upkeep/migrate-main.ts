/**
 * Brings the database to the schema of this version, lets the services at its tables, and tells
 * Cloud Monitoring of this version's metrics; a Cloud Run job that a deployment runs before any service. It runs as upkeep, which owns the tables. Two
 * at once wait for each other. Exit code 0: done; 1: nothing of the failed file has happened.
 */
import { describeMetrics } from '../cloud/metrics/describe.ts';
import { openMonitoring } from '../cloud/metrics/monitoring.ts';
import { openPostgres } from '../cloud/postgres.ts';
import { startService } from '../cloud/start-service.ts';
import { migrate } from '../database/migrate.ts';
import { parseMigrateConfiguration } from './migrate-configuration.ts';

const { settings, log } = startService('migrate', parseMigrateConfiguration(process.env));

const postgres = await openPostgres({ ...settings, applicationName: 'migrate', log });
try {
  await migrate(postgres.pool, {
    log: { info: (message) => log.info(message) },
    access: { readers: settings.DATABASE_READERS, writers: settings.DATABASE_WRITERS },
  });
  log.info('the database has the schema of this version');
} catch (error) {
  log.error('the migration failed', { error });
  process.exitCode = 1;
}
await postgres.close();
// Cloud Monitoring takes no alert on a metric that it does not know, and alerts come before the
// services that would write a new one.
const monitoring = openMonitoring(settings);
await describeMetrics(monitoring, log);
await monitoring.close();
