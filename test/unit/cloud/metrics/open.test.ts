import type { FunctionMetrics } from '../../../../functions/cloud/metrics/function-metrics.ts';
import { openMetrics } from '../../../../functions/cloud/metrics/open.ts';
import { openTestMonitoring, type TestMonitoring } from '../../../support/monitoring/server.ts';
import { silentLog } from '../../../support/pubsub.ts';

let monitoring: TestMonitoring;
beforeEach(async () => {
  monitoring = await openTestMonitoring(Date.now);
});
afterEach(async () => {
  await monitoring.close();
});

const open = (more: object = {}) =>
  openMetrics({
    component: 'store',
    configuration: {
      METRICS: 'on',
      METRICS_INTERVAL_SECONDS: 60,
      METRICS_NAMESPACE: 'test',
      GOOGLE_CLOUD_PROJECT: 'distrise-test',
      PUBSUB_EMULATOR_HOST: undefined,
      METRICS_LOCATION: undefined,
      MONITORING_EMULATOR_HOST: `127.0.0.1:${monitoring.server.port}`,
      ...more,
    },
    env: { K_SERVICE: 'store' },
    log: silentLog,
  });

/** How many series the local Cloud Monitoring holds. */
async function seriesWritten(): Promise<number> {
  const seconds = Math.floor(Date.now() / 1_000);
  const [series] = await monitoring.client
    .listTimeSeries({
      name: 'projects/distrise-test',
      filter: 'metric.type="custom.googleapis.com/distrise/success_total"',
      interval: { startTime: { seconds: seconds - 60 }, endTime: { seconds: seconds + 60 } },
      view: 'FULL',
    })
    .catch(() => [[]] as never);
  return series.length;
}

describe('the metrics of a process', () => {
  it('are written through the real client when they are flushed', async () => {
    const writing = open();
    writing.metrics.counter('success_total', {}).add();
    await writing.flush();
    expect(await seriesWritten()).toBe(1);
    await writing.close();
  });

  it('are not written with a request before it is time to', async () => {
    const writing: FunctionMetrics = open();
    writing.metrics.counter('success_total', {}).add();
    for (let n = 0; n < 100; n += 1) await writing.due();
    expect(await seriesWritten()).toBe(0);
  });

  it('are written at the end, once what is under way is done', async () => {
    const writing = open();
    writing.metrics.counter('success_total', {}).add();
    const flushing = writing.flush();
    await writing.close();
    await flushing;
    expect(await seriesWritten()).toBe(1);
  });

  it('stay in memory where they are off, and where Pub/Sub is local and nothing else is said', async () => {
    const nowhere = { MONITORING_EMULATOR_HOST: undefined, PUBSUB_EMULATOR_HOST: 'localhost:1' };
    for (const more of [{ METRICS: 'off' as const }, nowhere]) {
      const writing = open(more);
      writing.metrics.counter('success_total', {}).add();
      await writing.flush();
      await writing.close();
    }
    expect(await seriesWritten()).toBe(0);
  });

  it('are described with unit and meaning', async () => {
    const writing = open();
    await writing.describe();
    const [descriptors] = await monitoring.client.listMetricDescriptors({
      name: 'projects/distrise-test',
    });
    const delay = descriptors.find(({ type }) => type?.endsWith('/store_delay'));
    expect(delay).toMatchObject({
      unit: 'ms',
      valueType: 'DISTRIBUTION',
      metricKind: 'CUMULATIVE',
    });
    expect(delay?.description).toContain('commit');
    await writing.close();
  });
});
