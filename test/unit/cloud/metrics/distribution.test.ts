import fc from 'fast-check';
import { Distribution } from '../../../../functions/cloud/metrics/distribution.ts';

describe('a distribution', () => {
  it('puts a value that equals a bound into the bucket above it', () => {
    const distribution = new Distribution([10, 20]);
    for (const value of [9.9, 10, 19, 20, 1_000]) distribution.record(value);
    expect(distribution.value().bucketCounts).toEqual([1, 2, 2]);
  });

  it('knows count, mean and squared deviation of what it was given', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -1e6, max: 1e6 }), { minLength: 1 }), (values) => {
        const distribution = new Distribution([0, 100]);
        for (const value of values) distribution.record(value);
        const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
        const deviation = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
        const found = distribution.value();
        expect(found.count).toBe(values.length);
        expect(found.bucketCounts.reduce((sum, count) => sum + count, 0)).toBe(values.length);
        expect(Math.abs(found.mean - mean)).toBeLessThan(1e-6 * Math.max(1, Math.abs(mean)));
        expect(Math.abs(found.sumOfSquaredDeviation - deviation)).toBeLessThan(
          1e-6 * Math.max(1, deviation),
        );
      }),
    );
  });

  it('has neither mean nor deviation without a value', () => {
    expect(new Distribution([1]).value()).toEqual({
      count: 0,
      mean: 0,
      sumOfSquaredDeviation: 0,
      bucketCounts: [0, 0],
    });
  });

  it('does not take what is no number', () => {
    const distribution = new Distribution([1]);
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) distribution.record(value);
    expect(distribution.value().count).toBe(0);
  });
});
