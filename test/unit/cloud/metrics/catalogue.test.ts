import {
  COMPONENTS,
  definitionOf,
  labelValues,
  METRIC_NAMES,
  seriesMax,
  seriesOf,
} from '../../../../functions/cloud/metrics/catalogue.ts';

/** What one process may write: at 60 s a write, a thousand of them stay within a normal quota. */
const SERIES_A_PROCESS_MAX = 200;

describe('the catalogue of metrics', () => {
  it.each([...COMPONENTS])('keeps the series of one %s process bounded', (component) => {
    expect(seriesMax(component)).toBeGreaterThan(0);
    expect(seriesMax(component)).toBeLessThanOrEqual(SERIES_A_PROCESS_MAX);
  });

  it('counts of each component only the label values that it writes', () => {
    expect(labelValues('dead_letters_total', 'action', 'store')).toEqual(['buried']);
    expect(labelValues('dead_letters_total', 'action')).toHaveLength(4);
    // One more for `other`.
    expect(seriesOf('dead_letters_total', 'store')).toBe(2);
    expect(seriesOf('dead_letters_total', 'upkeep')).toBe(4);
    expect(seriesOf('dead_letters_total', 'relay')).toBe(0);
    expect(seriesOf('dead_letters_total')).toBe(4);
  });

  it.each([...METRIC_NAMES])('describes %s with a unit, a sentence and rising bounds', (name) => {
    const definition = definitionOf(name);
    expect(definition.unit).toMatch(/^(1|ms|us|s|By|\{[a-z]+\})$/);
    expect(definition.description).toMatch(/^[A-Z1].*\.$/);
    expect(definition.components.length).toBeGreaterThan(0);
    const bounds = definition.kind === 'distribution' ? definition.bounds : [];
    expect([...bounds].sort((a, b) => a - b)).toEqual([...bounds]);
    expect(new Set(bounds).size).toBe(bounds.length);
  });

  it.each([...METRIC_NAMES])('names %s and its labels as Cloud Monitoring lets them be', (name) => {
    expect(name).toMatch(/^[a-z][a-z0-9_]{0,99}$/);
    for (const label of Object.keys(definitionOf(name).labels)) {
      const values = labelValues(name, label);
      expect(label).toMatch(/^[a-z][a-z0-9_]*$/);
      expect(new Set(values).size).toBe(values.length);
      for (const value of values) expect(value).toMatch(/^[a-z0-9-]{1,24}$/);
    }
  });
});
