import { eventAgePolicy } from '../../../functions/policy/event-age.ts';
import { DEFAULT_WRITE_LIMITS, type WriteLimits } from '../../../functions/policy/limits.ts';
import { secretKeyOf, signEvent } from '../../support/keys.ts';

const NOW = 1_700_000_000;
const verdict = (created_at: number, kind = 1, limits: Partial<WriteLimits> = {}) => {
  const policy = eventAgePolicy({ ...DEFAULT_WRITE_LIMITS, ...limits });
  const event = signEvent({ kind, created_at }, secretKeyOf('policy'));
  const judged = policy(event, { nowSeconds: NOW, bytes: 500 });
  return judged.ok ? 'passed' : judged.reason;
};

it('takes what lies 900 s ahead of the clock, and no later', () => {
  expect(verdict(NOW + 900)).toBe('passed');
  expect(verdict(NOW + 901)).toBe('invalid: created_at is 901 s in the future, 900 s are allowed');
});

it('takes any age by default', () => {
  expect(verdict(0)).toBe('passed');
});

it('bounds the age where the operator does', () => {
  const limits = { createdAtPastSecondsMax: 100 };
  expect(verdict(NOW - 100, 1, limits)).toBe('passed');
  expect(verdict(NOW - 101, 1, limits)).toBe(
    'invalid: created_at is 101 s in the past, 100 s are allowed',
  );
});

it('takes no ephemeral event that is a minute old', () => {
  expect(verdict(NOW - 60, 20_000)).toBe('passed');
  expect(verdict(NOW - 61, 20_000)).toBe(
    'invalid: created_at is 61 s in the past, 60 s are allowed for an ephemeral event',
  );
  expect(verdict(0, 20_000, { ephemeralPastSecondsMax: 0 })).toBe('passed');
});
