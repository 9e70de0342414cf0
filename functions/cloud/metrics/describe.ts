import type { Log } from '../log.ts';
import type { Monitoring } from './monitoring.ts';
import { metricDescriptors } from './points.ts';

/** Tells Cloud Monitoring what all metrics of the system mean. Never rejects; ends at a refusal. */
export async function describeMetrics(
  monitoring: Pick<Monitoring, 'describe'>,
  log: Pick<Log, 'warning'>,
): Promise<void> {
  for (const descriptor of metricDescriptors()) {
    const reason = await monitoring.describe(descriptor);
    if (reason === undefined) continue;
    log.warning('metrics could not be described', { metric: descriptor.type, reason });
    return;
  }
}
