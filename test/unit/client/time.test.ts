import { parseTime } from '../../../functions/client/time.ts';

const NOW = 1_700_000_000;

describe('a point in time', () => {
  it.each([
    ['0', 0],
    ['1700000000', 1_700_000_000],
    ['90s', NOW - 90],
    ['15m', NOW - 900],
    ['2h', NOW - 7_200],
    ['3d', NOW - 259_200],
    ['1w', NOW - 604_800],
    ['99999999w', 0],
    ['2024-05-01', 1_714_521_600],
    ['2024-05-01T12:00:00Z', 1_714_564_800],
    ['2024-05-01 12:00', 1_714_564_800],
    ['2024-05-01T12:00:00.750Z', 1_714_564_800],
    ['2024-05-01T12:00:00+02:00', 1_714_557_600],
  ])('%s is understood', (text, seconds) => {
    expect(parseTime(text, NOW)).toBe(seconds);
  });

  it.each(['', 'never', '-5', '2h30m', '1.5h', '2024', '2024-13-01', '2024-05-01T25:00', '1e9'])(
    '%p is not guessed at',
    (text) => {
      // Digits alone are seconds, so a year is one too.
      expect(parseTime(text, NOW)).toBe(text === '2024' ? 2024 : undefined);
    },
  );
});
