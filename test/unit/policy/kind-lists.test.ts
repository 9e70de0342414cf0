import { kindListsPolicy, parseKindRanges } from '../../../functions/policy/kind-lists.ts';
import { secretKeyOf, signEvent } from '../../support/keys.ts';

const ranges = (text: string) => {
  const parsed = parseKindRanges(text);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value;
};
const verdict = (kind: number, allowed: string, denied: string) => {
  const event = signEvent({ kind, created_at: 1 }, secretKeyOf('policy'));
  const judged = kindListsPolicy(ranges(allowed), ranges(denied))(event, {
    nowSeconds: 1,
    bytes: 1,
  });
  return judged.ok ? 'passed' : judged.reason;
};

describe('kind ranges', () => {
  it('are read from a list', () => {
    expect(ranges(' 0, 7 ,30000-39999,5 - 5,')).toEqual([
      { first: 0, last: 0 },
      { first: 7, last: 7 },
      { first: 30_000, last: 39_999 },
      { first: 5, last: 5 },
    ]);
    expect(ranges('')).toEqual([]);
  });

  it.each(['x', '1-', '-1', '2-1', '65536', '1-65536', '1.5', '1e3', '1 2', '123456'])(
    'are not read from %j, which is named',
    (text) => {
      const parsed = parseKindRanges(`1,${text}`);
      expect(parsed).toEqual({ ok: false, reason: expect.stringContaining(JSON.stringify(text)) });
    },
  );
});

describe('the policy', () => {
  it('takes every kind where nothing is said', () => {
    expect(verdict(65_535, '', '')).toBe('passed');
  });

  it('refuses kinds that are denied, at both ends of a range', () => {
    expect(verdict(3, '', '4-6')).toBe('passed');
    expect(verdict(4, '', '4-6')).toBe('blocked: kind 4 is not accepted here');
    expect(verdict(6, '', '4-6')).toBe('blocked: kind 6 is not accepted here');
    expect(verdict(7, '', '4-6')).toBe('passed');
  });

  it('refuses all others where some are allowed, and says which', () => {
    expect(verdict(1, '0-3,7', '')).toBe('passed');
    expect(verdict(4, '0-3,7', '')).toBe('blocked: kind 4 is not accepted here, only 0-3, 7');
    const many = Array.from({ length: 50 }, (_, kind) => kind * 2).join(',');
    expect(verdict(1, many, '')).toMatch(/only 0, 2, 4, 6, 8, 10, 12, 14, 16, 18 and others$/);
  });

  it('lets a denial win over a permission', () => {
    expect(verdict(4, '0-9', '4')).toBe('blocked: kind 4 is not accepted here');
  });
});
