import { EvaluationError } from '../../../../functions/local/monitoring/evaluation-error.ts';
import { parseField, parseFilter } from '../../../../functions/local/monitoring/filter.ts';
import { limits } from '../../../../functions/local/monitoring/limits.ts';

const series = {
  metricType: 'custom.googleapis.com/distrise/fail_total',
  metricLabels: { component: 'relay', reason: 'rate-limited' },
  resourceType: 'generic_task',
  resourceLabels: { project_id: 'p', job: 'relay-v2', task_id: 'a' },
};
const METRIC = 'metric.type="custom.googleapis.com/distrise/fail_total"';

describe('a filter', () => {
  it.each([
    METRIC,
    `${METRIC} AND resource.type="generic_task"`,
    `${METRIC} resource.type="generic_task"`,
    `${METRIC} AND metric.label."reason"="rate-limited"`,
    `${METRIC} AND metric.labels.reason = "rate-limited"`,
    `${METRIC} AND metric.label.reason != "error"`,
    `${METRIC} AND metric.label.missing != "x"`,
    `${METRIC} AND metric.label.missing = ""`,
    `${METRIC} AND metric.label.reason = one_of("error", "rate-limited")`,
    `${METRIC} AND metric.label.reason != one_of("error", "pow")`,
    `${METRIC} AND metric.label.reason = starts_with("rate")`,
    `${METRIC} AND metric.label.reason = ends_with("limited")`,
    `${METRIC} AND metric.label.reason = has_substring("te-l")`,
    `${METRIC} AND metric.label.reason = monitoring.regex.full_match("rate-.*")`,
    `${METRIC} AND resource.label."job" = monitoring.regex.full_match("relay(-v\\\\d+)?")`,
    `project = "p" AND ${METRIC}`,
  ])('lets through: %s', (text) => {
    expect(parseFilter(text).matches(series)).toBe(true);
  });

  it.each([
    'metric.type="custom.googleapis.com/distrise/other"',
    `${METRIC} AND resource.type="global"`,
    `${METRIC} AND metric.label.reason="error"`,
    `${METRIC} AND metric.label.reason != "rate-limited"`,
    `${METRIC} AND metric.label.reason = one_of("error", "pow")`,
    `${METRIC} AND metric.label.reason = monitoring.regex.full_match("rate")`,
    `${METRIC} AND metric.label.constructor = starts_with("f")`,
  ])('keeps out: %s', (text) => {
    expect(parseFilter(text).matches(series)).toBe(false);
  });

  it('tells the one metric that it is about', () => {
    expect(parseFilter(METRIC).metricType).toBe(series.metricType);
  });

  it.each([
    ['', 'the end'],
    ['resource.type="generic_task"', 'must name one metric'],
    ['metric.type = starts_with("custom")', 'must name one metric'],
    [`metric.type != "x"`, 'must name one metric'],
    [`${METRIC} OR metric.label.reason="x"`, 'OR'],
    [`${METRIC} AND NOT metric.label.reason="x"`, 'NOT'],
    [`${METRIC} AND (metric.label.reason="x")`, '('],
    [`${METRIC} AND metric.label.reason > "x"`, '>'],
    [`${METRIC} AND metric.label.reason = regexp("x")`, 'regexp'],
    [`${METRIC} AND metric.label.reason = toString("x")`, 'toString'],
    [`${METRIC} AND metric.label.reason = one_of()`, ')'],
    [`${METRIC} AND metric.label.reason = "x`, '"x'],
    [`${METRIC} AND metric.label.reason = monitoring.regex.full_match("(")`, 'regular expression'],
    [`${METRIC} AND group.id = "x"`, 'group.id'],
    [`${METRIC} AND metadata.user_labels.a = "x"`, 'metadata.user_labels.a'],
    [`${METRIC} AND metric.label = "x"`, 'metric.label'],
    [`${METRIC} AND`, 'the end'],
    ['x'.repeat(limits.filterCharactersMax + 1), 'longer than'],
  ])('says what it does not know: %s', (text, what) => {
    expect(() => parseFilter(text)).toThrow(EvaluationError);
    expect(() => parseFilter(text)).toThrow(what);
  });
});

describe('a field', () => {
  it.each([
    ['metric.label."reason"', 'metric.label.reason'],
    ['metric.labels.reason', 'metric.label.reason'],
    ['resource.label."task_id"', 'resource.label.task_id'],
    ['resource.type', 'resource.type'],
  ])('%s has one spelling', (text, field) => {
    expect(parseField(text)).toBe(field);
  });

  it('is nothing else', () => {
    expect(() => parseField('metric.label.reason = "x"')).toThrow(EvaluationError);
  });
});
