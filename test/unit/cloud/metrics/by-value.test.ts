import { byValue } from '../../../../functions/cloud/metrics/by-value.ts';

describe('byValue', () => {
  it('finds each series once, and the same one for ever', () => {
    const found: string[] = [];
    const seriesOf = byValue((value: string) => {
      found.push(value);
      return { value };
    });
    expect(seriesOf('a')).toBe(seriesOf('a'));
    expect(seriesOf('b')).toEqual({ value: 'b' });
    expect(found).toEqual(['a', 'b']);
  });
});
