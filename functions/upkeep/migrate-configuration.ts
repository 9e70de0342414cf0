import { z } from 'zod';
import {
  type ConfigurationResult,
  logVariables,
  parseConfiguration,
  postgresVariables,
  pubsubVariables,
} from '../cloud/configuration.ts';
import { metricsVariables } from '../cloud/metrics/configuration.ts';

const users = () =>
  z
    .string()
    .default('')
    .transform((text) => text.split(',').filter((user) => user !== ''));

export const schema = z.object({
  ...postgresVariables,
  ...logVariables,
  GOOGLE_CLOUD_PROJECT: pubsubVariables.GOOGLE_CLOUD_PROJECT,
  MONITORING_EMULATOR_HOST: metricsVariables.MONITORING_EMULATOR_HOST,
  DATABASE_READERS: users().describe('database users that read, by commas: those of the relay'),
  DATABASE_WRITERS: users().describe('database users that write, by commas: store and fetch'),
});

export type MigrateConfiguration = z.infer<typeof schema>;

/** What the environment asks of the migration, or all that is wrong with it. */
export const parseMigrateConfiguration = (
  env: Readonly<Record<string, string | undefined>>,
): ConfigurationResult<MigrateConfiguration> => parseConfiguration(schema, env);
