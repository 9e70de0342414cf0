import { uneven } from '../../../functions/database/uneven.ts';

/** Partitions from 0 on, by their names and ends; the first is the catch-all of earlier times. */
const cut = (...ends: [string, number][]) =>
  ends.map(([name, to], n) => ({
    name,
    from: n === 0 ? Number.NEGATIVE_INFINITY : ends[n - 1]![1],
    to,
  }));

describe('tables that are cut differently', () => {
  const months = cut(['before', 0], ['a', 10], ['b', 20], ['c', 30]);

  it('are told from those that are cut alike', () => {
    expect(uneven(months, months)).toBeUndefined();
    expect(uneven([], [])).toBeUndefined();
  });

  it('become one partition where one of them has one already', () => {
    const merged = cut(['before', 0], ['y', 20], ['c', 30]);
    const target = { name: 'y', from: 0, to: 20 };
    expect(uneven(months, merged)).toMatchObject({ target, sources: ['a', 'b', 'y'] });
    expect(uneven(merged, months)).toMatchObject({ target, sources: ['y', 'a', 'b'] });
  });

  it('become one partition up to where both are cut', () => {
    const other = cut(['before', 0], ['d', 5], ['e', 20], ['c', 30]);
    const target = { name: 'a', from: 0, to: 20 };
    expect(uneven(months, other)).toMatchObject({ target, sources: ['a', 'b', 'd', 'e'] });
  });

  it('get the catch-all back where only one of them has its first month', () => {
    const dropped = cut(['before', 10], ['b', 20], ['c', 30]);
    const target = { name: 'before', from: Number.NEGATIVE_INFINITY, to: 10 };
    expect(uneven(months, dropped)).toMatchObject({ target, sources: ['before', 'a'] });
  });

  it('are left to the making of months where only the newest are missing', () => {
    expect(uneven(months.slice(0, 3), months)).toBeUndefined();
  });
});
