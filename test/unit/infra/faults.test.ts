import { alertFaults } from '../../support/monitoring/alert-faults.ts';
import { dashboardFaults } from '../../support/monitoring/dashboard-faults.ts';
import { infraFiles } from '../../support/monitoring/files.ts';
import type { JsonObject } from '../../support/monitoring/json.ts';
import { objectiveFaults } from '../../support/monitoring/objective-faults.ts';
import { promqlFaults } from '../../support/monitoring/promql-faults.ts';
import { MESSAGES, shapeFaults } from '../../support/monitoring/protobuf.ts';
import { queryFaults } from '../../support/monitoring/query-faults.ts';

const file = (folder: Parameters<typeof infraFiles>[0], name: string) =>
  infraFiles(folder).find((each) => each.name === name)!.json;

/** The file with every place of a text changed; the text must be there. */
function changed(json: JsonObject, from: string, to: string): JsonObject {
  const text = JSON.stringify(json);
  expect(text).toContain(from);
  return JSON.parse(text.replaceAll(from, to)) as JsonObject;
}

const overview = file('dashboards', 'overview');
const deadLetters = file('alerts', 'dead-letters-present');
const burning = file('alerts', 'ok-to-stored-fast-burn');
const objective = file('slos', 'ok-to-stored');
const objectives = [objective['name'] as string];

describe('a dashboard is refused', () => {
  test.each([
    ['with a misspelt metric', 'distrise/store_delay', 'distrise/stored_delay', 'unknown metric'],
    ["with a misspelt metric of Google's", 'num_undelivered', 'num_undeliverd', 'unknown metric'],
    ['with an unknown aligner', 'ALIGN_NEXT_OLDER', 'ALIGN_INTERPOLATE', 'unknown aligner'],
    ['with an aligner of no name', 'ALIGN_NEXT_OLDER', 'ALIGN_NEWEST', 'is read as'],
    ['with a rate of distributions', '"ALIGN_DELTA"', '"ALIGN_RATE"', 'does not fit CUMULATIVE'],
    ['with a misspelt label', 'label.\\"origin\\"', 'label.\\"orign\\"', 'has no label orign'],
    [
      'with a label value that is never written',
      '\\"client\\"',
      '\\"clients\\"',
      'is never clients',
    ],
    ['with another resource', 'generic_task', 'global', 'is written on generic_task'],
    [
      'with a misspelt field',
      'perSeriesAligner',
      'perSeriesAlligner',
      'is no field of Aggregation',
    ],
    ['with a field of another content', '"plotType"', '"sparkChartType"', 'is no field of DataSet'],
    ['with an unknown plot', '"STACKED_AREA"', '"STACKED"', 'is read as'],
    ['with tiles that overlap', '"yPos":9', '"yPos":8', 'overlaps'],
    ['with tiles beyond the columns', '"columns":48', '"columns":12', 'not 48 columns'],
    ['with a widget without a title', 'How many dead letters wait for a person?', '', 'no title'],
    ['with an axis without a unit', '"label":"ms"', '"label":""', 'no unit at the axis'],
    [
      'with a legend that was not grouped by',
      '{metric.labels.outcome',
      '{metric.labels.x',
      'names',
    ],
  ])('%s', (_what, from, to, fault) => {
    expect(dashboardFaults(changed(overview, from, to)).join('\n')).toContain(fault);
  });

  test('with a widget of two contents', () => {
    const two = changed(overview, '"incidentList":{}', '"incidentList":{},"blank":{}');
    expect(dashboardFaults(two).join('\n')).toContain('exclude each other');
  });

  test('with a widget of no content', () => {
    const none = changed(overview, ',"incidentList":{}', '');
    expect(dashboardFaults(none).join('\n')).toContain('not one content but none');
  });
});

describe('an alert is refused', () => {
  test.each([
    ['without a severity', '"severity":"ERROR"', '"enabled":true', 'no severity'],
    ['with an unknown severity', '"ERROR"', '"HIGH"', 'is read as'],
    ['without one of the three parts', '## How to look', '## Look', 'has the parts'],
    ['with a duration of no whole minutes', '"300s","trigger"', '"90s","trigger"', 'whole minutes'],
    ['with a misspelt metric', 'distrise/dead_letters', 'distrise/dead_leters', 'unknown metric'],
    ['with a misspelt field', 'thresholdValue', 'treshold', 'is no field of MetricThreshold'],
  ])('%s', (_what, from, to, fault) => {
    expect(alertFaults(changed(deadLetters, from, to), objectives).join('\n')).toContain(fault);
  });

  test('that watches an objective which is not there', () => {
    expect(alertFaults(burning, []).join('\n')).toContain('unknown objective');
  });

  test('whose burn rate is not written as Google reads it', () => {
    const wrong = changed(burning, 'select_slo_burn_rate', 'select_slo_burnrate');
    expect(alertFaults(wrong, objectives).join('\n')).toContain('no burn rate');
  });
});

describe('a query is refused', () => {
  const rate = { alignmentPeriod: '60s', perSeriesAligner: 'ALIGN_RATE' };
  const filter =
    'metric.type="custom.googleapis.com/distrise/success_total" AND resource.type="generic_task"';

  test('where its filter is not of the grammar that the local evaluator reads', () => {
    for (const more of [
      ' OR metric.label."component"="relay"',
      ' AND metric.label.component="relay"',
      ' AND ',
    ]) {
      expect(queryFaults(filter + more, [rate])).not.toEqual([]);
    }
    expect(queryFaults(filter, [rate])).toEqual([]);
  });

  test('where a distribution is left to draw', () => {
    const of = filter.replace('success_total', 'process_duration');
    const [fault] = queryFaults(of, [{ alignmentPeriod: '60s', perSeriesAligner: 'ALIGN_DELTA' }]);
    expect(fault).toContain('DISTRIBUTION is left');
  });

  test('where a percentile is taken of each cumulative series', () => {
    const of = filter.replace('success_total', 'process_duration');
    const [fault] = queryFaults(of, [
      { alignmentPeriod: '60s', perSeriesAligner: 'ALIGN_PERCENTILE_99' },
    ]);
    expect(fault).toContain('does not fit CUMULATIVE');
  });

  test('where it groups by a label that is not there, or does not reduce', () => {
    const by = { ...rate, groupByFields: ['metric.label."reason"'] };
    expect(queryFaults(filter, [{ ...by, crossSeriesReducer: 'REDUCE_SUM' }])).not.toEqual([]);
    expect(queryFaults(filter, [{ ...rate, groupByFields: ['metric.label."component"'] }])).toEqual(
      ['groupByFields without a reducer'],
    );
  });
});

describe('PromQL is refused', () => {
  const good =
    'sum(rate({"__name__"="run.googleapis.com/container/cpu/allocation_time","monitored_resource"="cloud_run_revision","service_name"="relay"}[5m]))';

  test('where it does not parse', () => {
    expect(promqlFaults(good)).toEqual([]);
    expect(promqlFaults(good.slice(0, -1)).join()).toContain('does not parse');
  });

  test.each([
    ['a misspelt metric', 'allocation_time', 'allocation_times'],
    ['another resource', 'cloud_run_revision', 'cloud_run'],
    ['a label that is not there', 'service_name', 'service'],
  ])('where it names %s', (_what, from, to) => {
    expect(promqlFaults(good.replace(from, to))).toHaveLength(1);
  });

  test('where it names no metric', () => {
    expect(promqlFaults('vector(1)')).toHaveLength(1);
  });
});

describe('an objective and an uptime check are refused', () => {
  test('where the objective cuts what is no distribution, or names no metric', () => {
    const gauge = changed(objective, 'distrise/store_delay', 'distrise/pending_age');
    expect(objectiveFaults(gauge).join()).toContain('cannot be cut');
    const unknown = changed(objective, 'distrise/store_delay', 'distrise/delay');
    expect(objectiveFaults(unknown).join()).toContain('unknown metric');
  });

  test('where the uptime check has a misspelt field', () => {
    const wrong = changed(file('uptime', 'nip11'), 'validateSsl', 'validateSSL');
    expect(shapeFaults(MESSAGES.uptime, wrong).join()).toContain('is no field of HttpCheck');
  });
});
