import { eventSizePolicy } from '../../../functions/policy/event-size.ts';
import { DEFAULT_WRITE_LIMITS } from '../../../functions/policy/limits.ts';
import { type EventTemplate, secretKeyOf, signEvent } from '../../support/keys.ts';

const KEY = secretKeyOf('policy');
const policy = eventSizePolicy({
  ...DEFAULT_WRITE_LIMITS,
  eventBytesMax: 1_000,
  contentCharactersMax: 10,
  contentCharactersLongMax: 20,
  tagsMax: 2,
  tagsLongMax: 4,
});
const verdict = (template: Omit<EventTemplate, 'created_at'>, bytes = 500) => {
  const judged = policy(signEvent({ created_at: 1, ...template }, KEY), { nowSeconds: 1, bytes });
  return judged.ok ? 'passed' : judged.reason;
};
const tags = (count: number) => Array.from({ length: count }, () => ['t', 'x']);

it('bounds the bytes of the text', () => {
  expect(verdict({ kind: 1 }, 1_000)).toBe('passed');
  expect(verdict({ kind: 1 }, 1_001)).toBe('invalid: event has 1001 bytes, 1000 are allowed');
});

it('bounds the tags, with more for events that hold lists', () => {
  expect(verdict({ kind: 1, tags: tags(2) })).toBe('passed');
  expect(verdict({ kind: 1, tags: tags(3) })).toBe('invalid: event has 3 tags, 2 are allowed');
  for (const kind of [3, 10_000, 30_000]) {
    expect(verdict({ kind, tags: tags(4) })).toBe('passed');
    expect(verdict({ kind, tags: tags(5) })).toBe('invalid: event has 5 tags, 4 are allowed');
  }
});

it('bounds the characters of the content, with more for articles and lists', () => {
  expect(verdict({ kind: 1, content: 'x'.repeat(10) })).toBe('passed');
  expect(verdict({ kind: 1, content: 'x'.repeat(11) })).toBe(
    'invalid: content has 11 characters, 10 are allowed',
  );
  expect(verdict({ kind: 30_023, content: 'x'.repeat(20) })).toBe('passed');
  expect(verdict({ kind: 30_023, content: 'x'.repeat(21) })).toBe(
    'invalid: content has 21 characters, 20 are allowed',
  );
});

it('counts a character outside of the first plane once', () => {
  expect(verdict({ kind: 1, content: '😀'.repeat(10) })).toBe('passed');
  expect(verdict({ kind: 1, content: '😀'.repeat(11) })).toMatch(/has 11 characters/);
});
