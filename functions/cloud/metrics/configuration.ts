import { z } from 'zod';
import { oneOf, wholeNumber } from '../configuration.ts';

/** The shape of a configuration's variables about metrics. */
export const metricsVariables = {
  METRICS: oneOf(['on', 'off'], 'on'),
  METRICS_INTERVAL_SECONDS: wholeNumber(10, 600, 60),
  METRICS_NAMESPACE: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,63}$/)
    .default('distrise')
    .describe('the name of this environment: letters, digits and ._- up to 63'),
  METRICS_LOCATION: z
    .string()
    .regex(/^[a-z0-9-]{1,40}$/)
    .optional()
    .describe('a region such as europe-west1, where the metadata server is not to be asked'),
  MONITORING_EMULATOR_HOST: z
    .string()
    .regex(/^[^\s/]+:[0-9]{1,5}$/)
    .optional()
    .describe('host:port of a local Cloud Monitoring'),
};

export type MetricsConfiguration = z.infer<z.ZodObject<typeof metricsVariables>>;
