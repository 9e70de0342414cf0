import { randomUUID } from 'node:crypto';
import * as metadata from 'gcp-metadata';
import type { PubSubConfiguration } from '../configuration.ts';
import type { Component } from './catalogue.ts';
import type { MetricsConfiguration } from './configuration.ts';
import type { Identity } from './points.ts';

/** Monitoring wants some location; a developer's machine has none. */
const NO_LOCATION = 'global';
/** Ids of Cloud Run instances are 100 characters and more; their end tells them apart. */
const INSTANCE_CHARACTERS = 24;

/**
 * Who this process is to Cloud Monitoring: the service and the instance as Cloud Run names them,
 * and something random, since an instance may start its process again. Never rejects.
 */
export async function findIdentity(
  component: Component,
  configuration: MetricsConfiguration & Pick<PubSubConfiguration, 'GOOGLE_CLOUD_PROJECT'>,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Identity> {
  const local = configuration.MONITORING_EMULATOR_HOST !== undefined;
  const [region, instance] = local
    ? [undefined, undefined]
    : await Promise.all([ask('region'), ask('id')]);
  const process = randomUUID().slice(0, 8);
  return {
    project: configuration.GOOGLE_CLOUD_PROJECT,
    // projects/123/regions/europe-west1
    location: configuration.METRICS_LOCATION ?? region?.split('/').at(-1) ?? NO_LOCATION,
    namespace: configuration.METRICS_NAMESPACE,
    job: env['K_SERVICE'] || component,
    task: instance === undefined ? process : `${instance.slice(-INSTANCE_CHARACTERS)}-${process}`,
  };
}

async function ask(property: string): Promise<string | undefined> {
  try {
    if (!(await metadata.isAvailable())) return undefined;
    return String(await metadata.instance(property));
  } catch {
    return undefined;
  }
}
