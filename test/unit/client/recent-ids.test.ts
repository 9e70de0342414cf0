import { RecentIds } from '../../../functions/client/recent-ids.ts';

describe('recent ids', () => {
  it('are known again while they are among the last, and forgotten in the end', () => {
    const ids = new RecentIds(3);
    expect(['a', 'b', 'a', 'c', 'd'].map((id) => ids.add(id))).toEqual([
      true,
      true,
      false,
      true,
      true,
    ]);
    // Of the generation before, and still known.
    expect(ids.add('b')).toBe(false);
    for (const id of ['e', 'f', 'g', 'h', 'i', 'j']) ids.add(id);
    expect(ids.add('b')).toBe(true);
  });
});
