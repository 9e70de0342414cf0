import type { Log } from '../../../../functions/cloud/log.ts';
import type { TimeSeries } from '../../../../functions/cloud/metrics/points.ts';
import { Registry } from '../../../../functions/cloud/metrics/registry.ts';
import { MetricWriter, type SendResult } from '../../../../functions/cloud/metrics/writer.ts';
import { countOf } from '../../../support/metrics.ts';

const IDENTITY = {
  project: 'p',
  location: 'europe-west1',
  namespace: 'distrise',
  job: 'relay',
  task: 'one',
};

const START = Date.parse('2026-11-25T03:00:00Z');

function setUp() {
  const registry = new Registry('relay');
  const calls: TimeSeries[][] = [];
  const warnings: string[] = [];
  const state = { nowMs: START, results: [] as SendResult[], tasks: 0 };
  const log = { warning: (message: string) => void warnings.push(message) } as unknown as Log;
  const writer = new MetricWriter(registry, IDENTITY, {
    async send(series) {
      calls.push([...series]);
      return state.results.shift() ?? { ok: true };
    },
    nowMs: () => state.nowMs,
    newTask() {
      state.tasks += 1;
      return `again-${state.tasks}`;
    },
    log,
  });
  return { registry, writer, calls, warnings, state };
}

const UNAVAILABLE: SendResult = { ok: false, why: 'unavailable', failed: 9, reason: 'down' };

/** What the last call says of a metric. */
function point(calls: readonly TimeSeries[][], name: string) {
  const series = calls.at(-1)?.find(({ metric }) => metric?.type?.endsWith(`/${name}`));
  const [first] = series?.points ?? [];
  const ms = (time: { seconds?: unknown; nanos?: number | null } | null | undefined) =>
    Number(time?.seconds) * 1_000 + Number(time?.nanos ?? 0) / 1e6;
  return {
    startMs: ms(first?.interval?.startTime),
    endMs: ms(first?.interval?.endTime),
    value: first?.value,
    task: series?.resource?.labels?.['task_id'],
  };
}

describe('the writer of metrics', () => {
  it('writes counters as cumulative from one start, with growing ends', async () => {
    const { registry, writer, calls, state } = setUp();
    registry.counter('success_total', {}).add(3);
    state.nowMs += 60_000;
    expect(await writer.write()).toBe('written');
    registry.counter('success_total', {}).add(2);
    state.nowMs += 60_000;
    await writer.write();
    expect(point(calls, 'success_total')).toEqual({
      startMs: START,
      endMs: START + 120_000,
      value: { int64Value: 5 },
      task: 'one',
    });
  });

  it('lets a series that comes later begin at the write before, and keeps that start', async () => {
    const { registry, writer, calls, state } = setUp();
    registry.counter('success_total', {});
    state.nowMs += 60_000;
    await writer.write();
    const began = state.nowMs + 1;
    for (const count of [1, 2]) {
      registry.counter('fail_total', { reason: 'error' }).add();
      state.nowMs += 60_000;
      await writer.write();
      expect(point(calls, 'fail_total')).toMatchObject({
        startMs: began,
        endMs: state.nowMs,
        value: { int64Value: count },
      });
    }
    expect(point(calls, 'success_total').startMs).toBe(START);
  });

  it('writes a gauge with a start that equals its end', async () => {
    const { registry, writer, calls, state } = setUp();
    registry.watch('websocket_connections', {}, () => 7);
    state.nowMs += 60_000;
    await writer.write();
    expect(point(calls, 'websocket_connections')).toMatchObject({
      startMs: state.nowMs,
      endMs: state.nowMs,
      value: { doubleValue: 7 },
    });
  });

  it('does not write twice within ten seconds, as at a stop just after a write', async () => {
    const { writer, calls, state } = setUp();
    state.nowMs += 60_000;
    await writer.write();
    state.nowMs += 9_999;
    expect(await writer.write()).toBe('too soon');
    state.nowMs += 1;
    expect(await writer.write()).toBe('written');
    expect(calls).toHaveLength(2);
  });

  it('puts at most 200 series into a call', async () => {
    const { registry, writer, calls, state } = setUp();
    const many = Array.from({ length: 450 }, (_, n) => ({
      name: 'success_total' as const,
      labels: { component: 'relay', n: String(n) },
      value: n,
    }));
    registry.snapshot = () => many;
    state.nowMs += 60_000;
    await writer.write();
    expect(calls.map(({ length }) => length)).toEqual([200, 200, 50]);
  });

  it('loses no count when a write fails', async () => {
    const { registry, writer, calls, state } = setUp();
    registry.counter('success_total', {}).add(3);
    state.results.push(UNAVAILABLE);
    state.nowMs += 60_000;
    expect(await writer.write()).toBe('failed');
    state.nowMs += 60_000;
    expect(await writer.write()).toBe('written');
    expect(point(calls, 'success_total').value).toEqual({ int64Value: 3 });
    expect(point(calls, 'metric_failures_total').value).toEqual({ int64Value: 9 });
  });

  it('says a failure once a minute at most, and counts each', async () => {
    const { registry, writer, warnings, state } = setUp();
    registry.counter('success_total', {});
    for (let n = 0; n < 6; n += 1) {
      state.results.push(UNAVAILABLE);
      state.nowMs += 15_000;
      await writer.write();
    }
    expect(warnings).toHaveLength(2);
  });

  it('writes a little ahead of a clock that stepped back by a minute', async () => {
    const { registry, writer, calls, state } = setUp();
    registry.counter('success_total', {}).add(3);
    state.nowMs += 60_000;
    await writer.write();
    const { endMs } = point(calls, 'success_total');
    state.nowMs -= 55_000;
    await writer.write();
    expect(point(calls, 'success_total')).toMatchObject({
      startMs: START,
      endMs: endMs + 10_000,
      task: 'one',
    });
  });

  it('begins anew under another name when the clock stepped back by an hour', async () => {
    const { registry, writer, calls, state } = setUp();
    registry.counter('success_total', {}).add(3);
    state.nowMs += 60_000;
    await writer.write();
    state.nowMs -= 3_600_000;
    await writer.write();
    registry.counter('success_total', {}).add(2);
    state.nowMs += 60_000;
    await writer.write();
    expect(point(calls, 'success_total')).toEqual({
      startMs: START + 60_000 - 3_600_000,
      endMs: START + 120_000 - 3_600_000,
      value: { int64Value: 2 },
      task: 'again-1',
    });
    expect(Number(point(calls, 'metric_failures_total').value?.int64Value)).toBeGreaterThan(0);
  });

  it('goes on as before when a clock that ran a day ahead is set right', async () => {
    const { registry, writer, calls, state } = setUp();
    registry.counter('success_total', {}).add(3);
    state.nowMs += 86_400_000;
    // All of it was refused: it lies in the future.
    state.results.push({ ok: false, why: 'refused', failed: 1_000, reason: 'future' });
    await writer.write();
    state.nowMs = START + 60_000;
    expect(await writer.write()).toBe('written');
    expect(point(calls, 'success_total')).toMatchObject({ startMs: START, task: 'one' });
  });

  it('counts the series of calls that were not tried, too', async () => {
    const { registry, writer, calls, state } = setUp();
    registry.snapshot = () =>
      Array.from({ length: 450 }, (_, n) => ({
        name: 'success_total' as const,
        labels: { component: 'relay', n: String(n) },
        value: n,
      }));
    state.results.push({ ok: false, why: 'unavailable', failed: 200, reason: 'down' });
    state.nowMs += 60_000;
    await writer.write();
    expect(calls).toHaveLength(1);
    registry.snapshot = Registry.prototype.snapshot;
    expect(countOf(registry, 'metric_failures_total', { reason: 'unavailable' })).toBe(450);
  });

  it('lets who waits for it know when a write is done', async () => {
    const { registry, writer, state } = setUp();
    registry.counter('success_total', {});
    state.nowMs += 60_000;
    const order: string[] = [];
    const written = writer.write().then((result) => order.push(result));
    await writer.settled();
    await written;
    expect(order).toEqual(['written']);
    expect(await writer.write()).toBe('too soon');
  });

  it('writes once where two ask at the same time', async () => {
    const { registry, writer, state } = setUp();
    registry.counter('success_total', {});
    state.nowMs += 60_000;
    expect(await Promise.all([writer.write(), writer.write()])).toEqual(['written', 'under way']);
  });
});
