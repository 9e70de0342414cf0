import { linesOf, nameOf } from '../../../../functions/local/monitoring/lines.ts';
import { SeriesStore } from '../../../../functions/local/monitoring/store.ts';
import { counter, gauge, metric, PROJECT } from '../../../support/monitoring/wire-series.ts';

const NOW = Date.UTC(2026, 10, 25, 12);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const FILTER = `metric.type="${metric('sample')}" AND resource.type="generic_task"`;
const query = (perSeriesAligner: string, alignmentPeriod = '60s') => ({
  timeSeriesFilter: { filter: FILTER, aggregation: { alignmentPeriod, perSeriesAligner } },
});

let store: SeriesStore;
beforeEach(() => {
  store = new SeriesStore();
});

const times = (rangeMs: number, smooth: boolean, nowMs = NOW, perSeriesAligner = 'ALIGN_RATE') =>
  linesOf([...store.series()], query(perSeriesAligner), { nowMs, rangeMs, smooth }).results.flatMap(
    ({ points }) => points.map(({ timeMs }) => timeMs),
  );

describe('the lines of a chart', () => {
  it('are finer than the period where they may overlap, and coarser for a long stretch', () => {
    for (let endMs = NOW - 24 * HOUR; endMs <= NOW; endMs += 30_000) {
      const series = counter(endMs, [NOW - 25 * HOUR, endMs]);
      expect(store.write([series], PROJECT, endMs)).toEqual([]);
    }
    const steps = ([first = 0, second = 0]: readonly number[]) => (second - first) / 1_000;
    expect(steps(times(15 * MINUTE, true))).toBe(10);
    expect(steps(times(15 * MINUTE, false))).toBe(60);
    expect(steps(times(6 * HOUR, false))).toBe(120);
    expect(steps(times(24 * HOUR, false))).toBe(360);
    expect(times(24 * HOUR, true).length).toBeLessThanOrEqual(241);
  });

  it('lie at the same moments at each look', () => {
    for (let endMs = NOW - HOUR; endMs <= NOW + 10_000; endMs += 10_000) {
      store.write([counter(endMs, [NOW - 2 * HOUR, endMs])], PROJECT, NOW);
    }
    const before = times(15 * MINUTE, false, NOW + 3_000);
    const after = times(15 * MINUTE, false, NOW + 9_000);
    expect(after).toEqual(before);
    expect(before.every((timeMs) => timeMs % MINUTE === 0)).toBe(true);
  });

  it('end with the newest point, and not in a period that has just begun', () => {
    store.write([counter(60, [NOW - HOUR, NOW])], PROJECT, NOW);
    expect(Math.max(...times(15 * MINUTE, false, NOW + 59_000))).toBe(NOW);
  });

  it('are not drawn where the metric or the language lives in the cloud only', () => {
    const stretch = { nowMs: NOW, rangeMs: HOUR, smooth: true };
    const filter = 'metric.type="run.googleapis.com/request_count"';
    expect(linesOf([], { timeSeriesFilter: { filter } }, stretch)).toEqual({
      results: [],
      elsewhere: ['run.googleapis.com/request_count'],
    });
    expect(linesOf([], { prometheusQuery: 'rate({"a.com/b"}[1m])' }, stretch).elsewhere).toEqual([
      'a.com/b',
    ]);
  });

  it('are of a query that is known, or an error says so', () => {
    const odd = { timeSeriesQueryLanguage: 'fetch x' } as object;
    expect(() => linesOf([], odd, { nowMs: NOW, rangeMs: HOUR, smooth: true })).toThrow(
      'The query timeSeriesQueryLanguage is not known here',
    );
  });

  it('may be raw points', () => {
    store.write([gauge(1, NOW - 1_000)], PROJECT, NOW);
    const raw = { timeSeriesFilter: { filter: FILTER } };
    const stretch = { nowMs: NOW + 20_000, rangeMs: HOUR, smooth: true };
    expect(linesOf([...store.series()], raw, stretch).results[0]?.points).toEqual([
      { timeMs: NOW - 1_000, value: 1 },
    ]);
  });
});

describe('the name of a line', () => {
  const labels = { reason: 'error', component: 'store' };
  const field = (path: string) => `\${${path}}`;

  it.each([
    [field('metric.labels.reason'), 'error'],
    [`${field('labels.component')}: ${field('labels.reason')}`, 'store: error'],
    [field('resource.labels.missing'), ''],
    ['p99', 'p99'],
  ])('follows its template %s', (legendTemplate, expected) => {
    expect(nameOf(labels, { legendTemplate })).toBe(expected);
  });

  it('is that of its labels, or of its metric', () => {
    expect(nameOf(labels, {})).toBe('error · store');
    expect(nameOf({}, { timeSeriesQuery: query('ALIGN_RATE') })).toBe('sample');
  });
});
