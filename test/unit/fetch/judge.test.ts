import { invalidReason } from '../../../functions/fetch/judge.ts';

describe('a source is quarantined', () => {
  it('for many invalid events on one visit', () => {
    const visit = { seen: 100, invalid: 30 };
    expect(invalidReason(visit, { seen: 1_000_000, invalid: 30 })).toBe(
      '30 of 100 events were invalid or not what was asked for',
    );
  });

  it('for few at a time that have become many', () => {
    const visit = { seen: 10, invalid: 3 };
    expect(invalidReason(visit, { seen: 80.2, invalid: 22.6 })).toBe(
      'about 23 of the last 80 events were invalid or not what was asked for',
    );
  });

  it.each([
    ['few', { seen: 19, invalid: 19 }],
    ['a small share', { seen: 1_000, invalid: 100 }],
  ])('not for %s', (_, sent) => {
    expect(invalidReason(sent, sent)).toBeUndefined();
  });
});
