import { facts, table } from '../../../functions/operate/table.ts';
import { distance, duration, grouped, moment, percent } from '../../../functions/operate/words.ts';

describe('tables', () => {
  it('line up their columns, numbers to the right', () => {
    const rows = [
      { name: 'a', count: 5 },
      { name: 'longer', count: 1_000 },
    ];
    const columns = [
      { title: 'NAME', cell: ({ name }: { name: string }) => name },
      {
        title: 'N',
        align: 'right' as const,
        cell: ({ count }: { count: number }) => grouped(count),
      },
      { title: 'NOTE', cell: () => '' },
    ];
    expect(table(rows, columns)).toBe('NAME        N  NOTE\na           5\nlonger  1 000');
  });

  it('are not broken by what others say', () => {
    const hostile = `\u001b[31mred\r\nline two ${'x'.repeat(200)}`;
    const text = table([hostile], [{ title: 'NOTE', cell: (row) => row }]);
    expect(text.split('\n')).toHaveLength(2);
    expect(text).not.toContain('\u001b');
    expect(text.split('\n')[1]).toMatch(/^ \[31mred line two x+…$/);
    expect(facts([['a', 'b\nc']])).toBe('a  b c');
  });
});

describe('words', () => {
  it.each([
    [0, '0s'],
    [59_999, '59s'],
    [60_000, '1m'],
    [3_599_999, '59m'],
    [86_400_000 * 30, '30d'],
  ])('say %i ms as %s', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });

  it('say how far a moment is', () => {
    expect(distance(new Date(1_000), 61_000)).toBe('1m ago');
    expect(distance(new Date(61_000), 1_000)).toBe('in 1m');
    expect(distance(undefined, 0)).toBe('–');
    expect(moment(1_700_000_000)).toBe('2023-11-14 22:13:20');
    expect(moment(Number.MAX_SAFE_INTEGER)).toBe('9007199254740991');
  });

  it('call no share 100 % that is less', () => {
    expect(percent(992, 1_000)).toBe('99.2 %');
    expect(percent(99_999, 100_000)).toBe('99.9 %');
    expect(percent(7, 7)).toBe('100.0 %');
    expect(percent(0, 0)).toBe('–');
  });
});
