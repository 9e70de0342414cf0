import * as metadata from 'gcp-metadata';
import type { PubSubConfiguration } from '../configuration.ts';
import { PROCESS_NAME } from '../process-name.ts';
import type { Component } from './catalogue.ts';
import type { MetricsConfiguration } from './configuration.ts';
import type { Identity } from './points.ts';

/** Monitoring wants some location; a developer's machine has none. */
const NO_LOCATION = 'global';
/** Ids of Cloud Run instances are 100 characters and more; their end tells them apart. */
const INSTANCE_CHARACTERS = 24;

/**
 * Who this process is to Cloud Monitoring: the service and the instance as Cloud Run names them,
 * and the name under which the process logs. Never rejects.
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
  return {
    project: configuration.GOOGLE_CLOUD_PROJECT,
    // projects/123/regions/europe-west1
    location: configuration.METRICS_LOCATION ?? region?.split('/').at(-1) ?? NO_LOCATION,
    namespace: configuration.METRICS_NAMESPACE,
    job: env['K_SERVICE'] || component,
    // First the revision, so that an upgrade can be judged by what its own instances write.
    task: [env['K_REVISION'], instance?.slice(-INSTANCE_CHARACTERS), PROCESS_NAME]
      .filter((part) => part)
      .join('-'),
  };
}

/** Requests wait for what is written before their answer, and the library waits for ever. */
const METADATA_TIMEOUT_MS = 3_000;

async function ask(property: string): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), METADATA_TIMEOUT_MS);
  });
  try {
    return await Promise.race([asked(property), late]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

async function asked(property: string): Promise<string | undefined> {
  if (!(await metadata.isAvailable())) return undefined;
  return String(await metadata.instance(property));
}
