import {
  hasLeft,
  parseKindRetention,
  type RetentionConfiguration,
} from '../../../functions/database/retention-rules.ts';

describe('parseKindRetention', () => {
  it('reads kinds and ranges of kinds with their days', () => {
    expect(parseKindRetention('7:90, 1000-1999:14')).toEqual([
      { fromKind: 7, toKind: 7, days: 90 },
      { fromKind: 1_000, toKind: 1_999, days: 14 },
    ]);
  });

  it('refuses what it cannot read', () => {
    for (const text of ['7', '7:0', '9-7:3', '70000:3', 'x:1', '']) {
      expect(parseKindRetention(text)).toBeUndefined();
    }
  });
});

describe('an event', () => {
  const NOW = Date.UTC(2026, 5, 15) / 1_000;
  const at = (month: number, kind = 1) => ({
    kind,
    created_at: Date.UTC(2026, month - 1, 3) / 1_000,
  });
  const left = (rules: Partial<RetentionConfiguration>, event: ReturnType<typeof at>) =>
    hasLeft(
      event,
      { RETENTION_DAYS: 0, RETENTION_GIGABYTES: 0, RETENTION_KINDS: [], ...rules },
      NOW,
    );

  it('has left when its whole month is old enough, and never where nothing leaves', () => {
    expect([3, 4, 5].map((month) => left({ RETENTION_DAYS: 45 }, at(month)))).toEqual([
      true,
      true,
      false,
    ]);
    expect(left({}, at(1))).toBe(false);
  });

  it('of a kind with a shorter life has left before', () => {
    const rules = { RETENTION_DAYS: 365, RETENTION_KINDS: [{ fromKind: 7, toKind: 9, days: 14 }] };
    expect([6, 7, 8, 9, 10].map((kind) => left(rules, at(5, kind)))).toEqual([
      false,
      true,
      true,
      true,
      false,
    ]);
    expect(left(rules, at(6, 7))).toBe(false);
  });

  it('that is kept stays whatever its age: a profile, an article, a deletion', () => {
    for (const kind of [0, 5, 62, 10_002, 30_023]) {
      expect(left({ RETENTION_DAYS: 1 }, at(1, kind))).toBe(false);
    }
  });
});
