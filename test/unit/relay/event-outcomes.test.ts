import { outcomeOfRefusal } from '../../../functions/relay/event-outcomes.ts';

describe('the outcome of a refusal', () => {
  it.each(['invalid', 'blocked', 'rate-limited', 'restricted', 'pow'])(
    'is its prefix: %s',
    (prefix) => {
      expect(outcomeOfRefusal(`${prefix}: for a reason`)).toBe(prefix);
    },
  );

  it.each([
    'mute: nobody may be told',
    'no prefix at all',
    ': nothing before it',
    'constructor: a name that every object knows',
    'toString: another one',
  ])('is an error where no outcome has that name: %s', (message) => {
    expect(outcomeOfRefusal(message)).toBe('error');
  });
});
