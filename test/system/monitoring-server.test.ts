import { limits } from '../../functions/local/monitoring/limits.ts';
import type { WireTimeSeries } from '../../functions/local/monitoring/wire.ts';
import { openTestMonitoring, type TestMonitoring } from '../support/monitoring/server.ts';
import {
  counter,
  distribution,
  gauge,
  metric,
  PROJECT,
} from '../support/monitoring/wire-series.ts';

/** How the local Cloud Monitoring behaves towards Google's own client library. */

const CODE = { invalidArgument: 3, notFound: 5, unimplemented: 12 };
const NOW = Date.UTC(2026, 10, 25, 12);
const HOUR = 3_600_000;
const name = `projects/${PROJECT}`;

let monitoring: TestMonitoring;
beforeEach(async () => {
  monitoring = await openTestMonitoring(() => NOW);
});
afterEach(async () => {
  await monitoring.close();
});

/** The client's types want what it fills in by itself; the wire does not. */
type Given = Parameters<TestMonitoring['client']['createTimeSeries']>[0];
const write = async (timeSeries: readonly WireTimeSeries[], project = name) => {
  await monitoring.client.createTimeSeries({ name: project, timeSeries } as unknown as Given);
};

const list = async (filter: string) => {
  const interval = {
    startTime: { seconds: (NOW - HOUR) / 1_000 },
    endTime: { seconds: (NOW + HOUR) / 1_000 },
  };
  const [series] = await monitoring.client.listTimeSeries({ name, filter, interval, view: 'FULL' });
  return series;
};

describe('the real client', () => {
  it('writes gauges, counters and distributions, and reads them back', async () => {
    const interval = [NOW - HOUR, NOW] as const;
    await write([
      gauge(1.5, NOW, { type: metric('g') }),
      counter(7, interval, { type: metric('c') }),
      distribution({ bounds: [1, 2], counts: [1, 0, 2], mean: 3 }, interval, { type: metric('d') }),
    ]);
    const [g] = await list(`metric.type="${metric('g')}"`);
    expect(g).toMatchObject({
      metric: { type: metric('g'), labels: { component: 'relay' } },
      metricKind: 'GAUGE',
      valueType: 'DOUBLE',
      points: [{ value: { doubleValue: 1.5 } }],
    });
    const [c] = await list(`metric.type="${metric('c')}"`);
    expect(Number(c?.points?.[0]?.value?.int64Value)).toBe(7);
    expect(Number(c?.points?.[0]?.interval?.startTime?.seconds)).toBe((NOW - HOUR) / 1_000);
    const [d] = await list(`metric.type="${metric('d')}"`);
    expect(d?.points?.[0]?.value?.distributionValue?.bucketCounts?.map(Number)).toEqual([1, 0, 2]);
  });

  it('is told what was not written, and the rest is written', async () => {
    const bad = counter(1, [NOW, NOW], { type: metric('c') });
    const failure = write([gauge(1, NOW), bad]);
    await expect(failure).rejects.toMatchObject({
      code: CODE.invalidArgument,
      message: expect.stringContaining('One or more TimeSeries could not be written'),
    });
    expect(await list(`metric.type="${metric('sample')}"`)).toHaveLength(1);
  });

  it('finds in the details how many points were written', async () => {
    const bad = counter(1, [NOW, NOW], { type: metric('c') });
    const error = await write([gauge(1, NOW), bad, gauge(1, NOW, { task: 'b' })]).catch(
      (caught: unknown) => caught,
    );
    const details = (error as { statusDetails: unknown[] }).statusDetails;
    expect(details).toEqual([
      expect.objectContaining({ totalPointCount: 3, successPointCount: 2 }),
    ]);
  });

  it('hears of 200 bad series in one answer', async () => {
    const all = Array.from({ length: limits.seriesPerCallMax }, (_, index) =>
      counter(1, [NOW, NOW], { task: `${index}`, labels: { state: 'x'.repeat(500) } }),
    );
    await expect(write(all)).rejects.toMatchObject({ code: CODE.invalidArgument });
  });

  it('writes 200 series in a call, and not one more', async () => {
    const series = (count: number) =>
      Array.from({ length: count }, (_, index) => gauge(1, NOW, { task: `${index}` }));
    await expect(write(series(201))).rejects.toMatchObject({ code: CODE.invalidArgument });
    expect(monitoring.server.store.size.series).toBe(0);
    await write(series(200));
    expect(monitoring.server.store.size.series).toBe(200);
  });

  it('must write something, and to a project', async () => {
    await expect(write([])).rejects.toMatchObject({ code: CODE.invalidArgument });
    await expect(write([gauge(1, NOW)], 'nowhere')).rejects.toMatchObject({
      code: CODE.invalidArgument,
    });
  });

  it('describes metrics and lists them', async () => {
    const metricDescriptor = {
      type: metric('told'),
      metricKind: 'CUMULATIVE' as const,
      valueType: 'INT64' as const,
      unit: '{event}',
      labels: [{ key: 'component' }],
    };
    await monitoring.client.createMetricDescriptor({ name, metricDescriptor });
    await write([gauge(1, NOW)]);
    const [all] = await monitoring.client.listMetricDescriptors({ name });
    expect(all.map(({ type, unit }) => [type, unit])).toEqual([
      [metric('told'), '{event}'],
      [metric('sample'), ''],
    ]);
    const filter = `metric.type = starts_with("${metric('to')}")`;
    expect((await monitoring.client.listMetricDescriptors({ name, filter }))[0]).toHaveLength(1);
    const one = { name: `${name}/metricDescriptors/${metric('told')}` };
    expect((await monitoring.client.getMetricDescriptor(one))[0].unit).toBe('{event}');
    await expect(
      monitoring.client.getMetricDescriptor({ name: `${one.name}_not` }),
    ).rejects.toMatchObject({ code: CODE.notFound });
  });

  it('cannot change the kind of a metric by describing it', async () => {
    await write([gauge(1, NOW)]);
    const metricDescriptor = {
      type: metric('sample'),
      metricKind: 'CUMULATIVE' as const,
      valueType: 'INT64' as const,
    };
    await expect(
      monitoring.client.createMetricDescriptor({ name, metricDescriptor }),
    ).rejects.toMatchObject({ code: CODE.invalidArgument });
  });

  it('is told that aggregated lists and other methods are not offered', async () => {
    const interval = { startTime: { seconds: 1 }, endTime: { seconds: NOW / 1_000 } };
    const aggregation = {
      alignmentPeriod: { seconds: 60 },
      perSeriesAligner: 'ALIGN_MEAN' as const,
    };
    const request = { name, filter: `metric.type="${metric('g')}"`, interval, aggregation };
    await expect(monitoring.client.listTimeSeries(request)).rejects.toMatchObject({
      code: CODE.unimplemented,
    });
    await expect(
      monitoring.client.deleteMetricDescriptor({ name: `${name}/metricDescriptors/x` }),
    ).rejects.toMatchObject({ code: CODE.unimplemented });
  });

  it('is told what is wrong with a filter', async () => {
    await expect(list('metric.type="a" OR metric.type="b"')).rejects.toMatchObject({
      code: CODE.invalidArgument,
      message: expect.stringContaining('OR'),
    });
  });
});
