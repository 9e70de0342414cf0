import { openMonitoring } from '../../functions/cloud/metrics/monitoring.ts';
import type { TimeSeries } from '../../functions/cloud/metrics/points.ts';
import { evaluateQuery } from '../../functions/local/monitoring/evaluate.ts';
import { SeriesStore } from '../../functions/local/monitoring/store.ts';
import type { WireTimeSeries } from '../../functions/local/monitoring/wire.ts';
import { live, type Truth } from '../support/monitoring/day.ts';
import { openTestMonitoring } from '../support/monitoring/server.ts';
import { metric, PROJECT } from '../support/monitoring/wire-series.ts';
import { liveWriters, type WritersTruth } from '../support/monitoring/writers.ts';

/** Instances that come and go write for a long time: nothing is refused, and nothing is lost. */

const START = Date.UTC(2026, 10, 25);
const HOUR = 3_600_000;

/** Sums by reason, and the mean of all durations, as dashboards would ask for them. */
function asked(store: SeriesStore, hours: number) {
  const ask = (name: string, seconds: number, crossSeriesReducer: string, groupBy: string[] = []) =>
    evaluateQuery(
      store.series(),
      {
        filter: `metric.type="${metric(name)}" AND resource.type="generic_task"`,
        aggregation: {
          alignmentPeriod: `${seconds}s`,
          perSeriesAligner: 'ALIGN_DELTA',
          crossSeriesReducer,
          groupByFields: groupBy,
        },
      },
      { startMs: START, endMs: START + hours * HOUR },
    );
  const sumOf = (points: readonly { value: number }[]) =>
    points.reduce((sum, { value }) => sum + value, 0);
  const reasons = ask('fails', 300, 'REDUCE_SUM', ['metric.label."reason"']);
  return {
    total: sumOf(ask('fails', 300, 'REDUCE_SUM').flatMap(({ points }) => points)),
    byReason: Object.fromEntries(
      reasons.map(({ labels, points }) => [labels['reason'], sumOf(points)]),
    ),
    mean: ask('duration', hours * 3_600, 'REDUCE_MEAN')[0]?.points[0]?.value,
  };
}

function expectTruth(store: SeriesStore, truth: Truth, hours: number): void {
  const { total, byReason, mean } = asked(store, hours);
  expect(truth.total).toBeGreaterThan(1_000);
  expect(total).toBeCloseTo(truth.total, 3);
  expect(Object.keys(byReason)).toHaveLength(3);
  for (const [reason, value] of Object.entries(truth.byReason)) {
    expect(byReason[reason]).toBeCloseTo(value, 3);
  }
  expect(mean).toBeCloseTo(truth.mean, 3);
}

describe('a day of instances that come and go', () => {
  it('is written by the rules without a refusal and sums to the truth', async () => {
    // Straight to the rules: a day through the client would take minutes.
    const store = new SeriesStore();
    const truth = await live(
      { startMs: START, endMs: START + 24 * HOUR, instances: 25 },
      (series, nowMs) => {
        expect(store.write(series, PROJECT, nowMs)).toEqual([]);
      },
    );
    expect(truth.instances).toBeGreaterThan(400);
    expect(truth.restarts).toBeGreaterThan(100);
    expectTruth(store, truth, 24);
  });
});

describe("two hours of them through Google's own client", () => {
  it('are written without a refusal and sum to the truth', async () => {
    let nowMs = START;
    const { client, server, close } = await openTestMonitoring(() => nowMs);
    const name = `projects/${PROJECT}`;
    const write = async (timeSeries: readonly WireTimeSeries[]) => {
      const request = { name, timeSeries };
      await client.createTimeSeries(
        request as unknown as Parameters<typeof client.createTimeSeries>[0],
      );
    };
    try {
      const truth = await live(
        { startMs: START, endMs: START + 2 * HOUR, instances: 12 },
        async (series, atMs) => {
          nowMs = atMs;
          await write(series);
        },
      );
      expect(truth.instances).toBeGreaterThan(15);
      expectTruth(server.store, truth, 2);
    } finally {
      await close();
    }
  });
});

describe('processes with the writer that the services have', () => {
  function expectWritten(store: SeriesStore, truth: WritersTruth, hours: number): void {
    expect(truth.results['failed']).toBeUndefined();
    expect(truth.total).toBeGreaterThan(500);
    const lines = evaluateQuery(
      store.series(),
      {
        filter: `metric.type="${metric('fail_total')}" AND resource.type="generic_task"`,
        aggregation: {
          alignmentPeriod: '600s',
          perSeriesAligner: 'ALIGN_DELTA',
          crossSeriesReducer: 'REDUCE_SUM',
          groupByFields: ['metric.label."reason"'],
        },
      },
      { startMs: START, endMs: START + hours * HOUR },
    );
    expect(lines).toHaveLength(3);
    for (const { labels, points } of lines) {
      const sum = points.reduce((all, { value }) => all + value, 0);
      expect(sum).toBeCloseTo(truth.byReason[labels['reason'] ?? ''] ?? 0, 3);
    }
  }

  it('write a day by the rules without a refusal, and its sums are true', async () => {
    // Straight to the rules, as above.
    const store = new SeriesStore();
    let nowMs = START;
    const send = async (series: readonly TimeSeries[]) => {
      const failures = store.write(series as unknown as WireTimeSeries[], PROJECT, nowMs);
      const [reason] = failures.map((failure) => failure.reason);
      if (reason === undefined) return { ok: true } as const;
      return { ok: false, why: 'refused', failed: failures.length, reason } as const;
    };
    const life = { startMs: START, endMs: START + 24 * HOUR, instances: 15 };
    const truth = await liveWriters(life, send, (atMs) => {
      nowMs = atMs;
    });
    expect(truth.writers).toBeGreaterThan(300);
    expect(truth.results['too soon']).toBeGreaterThan(10);
    expectWritten(store, truth, 24);
  });

  it("write through Google's own client for an hour, and its sums are true", async () => {
    let nowMs = START;
    const { server, close } = await openTestMonitoring(() => nowMs);
    const monitoring = openMonitoring({
      GOOGLE_CLOUD_PROJECT: PROJECT,
      MONITORING_EMULATOR_HOST: `127.0.0.1:${server.port}`,
    });
    try {
      const life = { startMs: START, endMs: START + HOUR, instances: 12 };
      const truth = await liveWriters(life, monitoring.write, (atMs) => {
        nowMs = atMs;
      });
      expect(truth.writers).toBeGreaterThan(12);
      expectWritten(server.store, truth, 1);
    } finally {
      await monitoring.close();
      await close();
    }
  });
});
