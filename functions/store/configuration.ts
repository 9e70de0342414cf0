import { z } from 'zod';
import {
  type ConfigurationResult,
  eventVariables,
  logVariables,
  parseConfiguration,
  postgresVariables,
  pubsubVariables,
} from '../cloud/configuration.ts';
import { metricsVariables } from '../cloud/metrics/configuration.ts';

export const schema = z.object({
  ...postgresVariables,
  ...pubsubVariables,
  ...logVariables,
  ...metricsVariables,
  ...eventVariables,
});

export type StoreConfiguration = z.infer<typeof schema>;

/** What the environment asks of store, or all that is wrong with it. */
export const parseStoreConfiguration = (
  env: Readonly<Record<string, string | undefined>>,
): ConfigurationResult<StoreConfiguration> => parseConfiguration(schema, env);
