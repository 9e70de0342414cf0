import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { metric } from './wire-series.ts';

/** Dashboards and alerts with everything that the page can draw, and some that it cannot. */

const filter = (name: string) => `metric.type="${metric(name)}" AND resource.type="generic_task"`;
const query = (name: string, aggregation: object = {}) => ({
  timeSeriesFilter: {
    filter: filter(name),
    aggregation: { alignmentPeriod: '60s', perSeriesAligner: 'ALIGN_RATE', ...aggregation },
  },
});
const byReason = {
  crossSeriesReducer: 'REDUCE_SUM',
  groupByFields: ['metric.label."reason"'],
};
const gauge = (name: string) =>
  query(name, { perSeriesAligner: 'ALIGN_MEAN', crossSeriesReducer: 'REDUCE_MAX' });
const percentile = (percent: number) =>
  query('duration', {
    alignmentPeriod: '300s',
    perSeriesAligner: 'ALIGN_DELTA',
    crossSeriesReducer: `REDUCE_PERCENTILE_${percent}`,
  });
const elsewhere = {
  timeSeriesFilter: {
    filter: 'metric.type="run.googleapis.com/request_count" AND resource.type="cloud_run_revision"',
    aggregation: { alignmentPeriod: '60s', perSeriesAligner: 'ALIGN_RATE' },
  },
};

const widgets: readonly (readonly [width: number, height: number, widget: object])[] = [
  [48, 4, { title: 'Section', sectionHeader: { subtitle: 'What is below' } }],
  [
    16,
    9,
    {
      title: 'How many wait? (red above 10)',
      scorecard: {
        timeSeriesQuery: { ...gauge('waiting'), unitOverride: '{event}' },
        thresholds: [
          { value: 5, color: 'YELLOW', direction: 'ABOVE' },
          { value: 10, color: 'RED', direction: 'ABOVE' },
        ],
      },
    },
  ],
  [16, 9, { title: 'How many are open?', scorecard: { timeSeriesQuery: gauge('open') } }],
  [16, 9, { title: 'Requests', scorecard: { timeSeriesQuery: elsewhere } }],
  [
    24,
    16,
    {
      title: 'How long does it take?',
      xyChart: {
        dataSets: [50, 95, 99].map((percent) => ({
          timeSeriesQuery: percentile(percent),
          plotType: 'LINE',
          legendTemplate: `p${percent}`,
        })),
        thresholds: [{ value: 60, label: 'SLO' }],
        yAxis: { label: 'ms', scale: 'LINEAR' },
      },
    },
  ],
  [
    24,
    16,
    {
      title: 'What fails?',
      xyChart: {
        dataSets: [{ timeSeriesQuery: query('fails', byReason), plotType: 'STACKED_AREA' }],
        yAxis: { label: 'failures/s' },
      },
    },
  ],
  [
    24,
    16,
    {
      title: 'What fails, in bars, and how many wait?',
      xyChart: {
        dataSets: [
          { timeSeriesQuery: query('fails', byReason), plotType: 'STACKED_BAR' },
          { timeSeriesQuery: gauge('waiting'), plotType: 'LINE', targetAxis: 'Y2' },
        ],
        yAxis: { label: 'failures/s' },
        y2Axis: { label: 'events' },
      },
    },
  ],
  [
    24,
    16,
    {
      title: 'Which fail most?',
      timeSeriesTable: { dataSets: [{ timeSeriesQuery: query('fails', byReason) }] },
    },
  ],
  [
    24,
    10,
    {
      title: 'Where to look next',
      text: {
        content: '**Bold** and `code`, <b>no markup</b>.\n\n- one\n- two',
        format: 'MARKDOWN',
      },
    },
  ],
  [24, 10, { title: 'Which alerts are open?', incidentList: {} }],
  [
    24,
    10,
    {
      title: 'Cannot be drawn',
      xyChart: {
        dataSets: [{ timeSeriesQuery: query('fails', { perSeriesAligner: 'ALIGN_NOWHERE' }) }],
      },
    },
  ],
  [
    24,
    10,
    { title: 'Nothing came', xyChart: { dataSets: [{ timeSeriesQuery: gauge('nothing') }] } },
  ],
];

function tiles() {
  const placed: object[] = [];
  let x = 0;
  let y = 0;
  for (const [width, height, widget] of widgets) {
    placed.push({ xPos: x, yPos: y, width, height, widget });
    x += width;
    if (x < 48) continue;
    x = 0;
    y += height;
  }
  return placed;
}

const above = (name: string, thresholdValue: number) => ({
  displayName: `${name} above ${thresholdValue}`,
  conditionThreshold: {
    filter: filter(name),
    aggregations: [
      {
        alignmentPeriod: '60s',
        perSeriesAligner: 'ALIGN_MEAN',
        crossSeriesReducer: 'REDUCE_MAX',
      },
    ],
    comparison: 'COMPARISON_GT',
    thresholdValue,
    duration: '300s',
  },
});

const alerts = {
  'too-many-wait': {
    displayName: 'Too many wait',
    severity: 'CRITICAL',
    combiner: 'OR',
    conditions: [above('waiting', 10)],
    documentation: {
      mimeType: 'text/markdown',
      content: '## What it means\n\nThe queue is **long**.\n\n1. Look.\n2. Act.\n',
    },
  },
  'too-many-open': {
    displayName: 'Too many open',
    severity: 'WARNING',
    combiner: 'OR',
    conditions: [above('open', 1_000)],
  },
  'burning-fast': {
    displayName: 'The SLO burns fast',
    severity: 'CRITICAL',
    combiner: 'OR',
    conditions: [
      {
        displayName: 'burn rate',
        conditionPrometheusQueryLanguage: { query: 'rate({"run.googleapis.com/x"}[5m]) > 1' },
      },
    ],
  },
};

/** Writes them into a folder of its own. */
export function writeSampleInfra(): string {
  const folder = mkdtempSync(join(tmpdir(), 'distrise-infra-'));
  for (const name of ['dashboards', 'alerts']) mkdirSync(join(folder, name));
  const write = (path: string, content: object) =>
    writeFileSync(join(folder, path), JSON.stringify(content));
  write('dashboards/sample.json', {
    displayName: 'Distrise 1: Sample – of everything',
    mosaicLayout: { columns: 48, tiles: tiles() },
  });
  write('dashboards/second.json', {
    displayName: 'Distrise 2: Second',
    mosaicLayout: { columns: 48, tiles: [] },
  });
  for (const [name, alert] of Object.entries(alerts)) write(`alerts/${name}.json`, alert);
  return folder;
}
