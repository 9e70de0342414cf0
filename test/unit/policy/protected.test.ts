import { protectedPolicy } from '../../../functions/policy/protected.ts';
import { type EventWishes, signedEvent } from '../../support/signed-events.ts';

const verdict = (wishes: EventWishes) => {
  const judged = protectedPolicy(signedEvent(wishes), { nowSeconds: 1, bytes: 1 });
  return judged.ok ? 'passed' : judged.reason;
};
const guarded = JSON.stringify(signedEvent({ tags: [['-']] }));
/** Without any dash, which JSON may escape. */
const disguised = '{"tags":[["\\u002D"]],"content":""}';
const open = JSON.stringify(signedEvent({ tags: [['t', '-']], content: 'a - b' }));

describe('NIP-70', () => {
  it('"The default behavior of a relay MUST be to reject any event that contains `["-"]`"', () => {
    expect(verdict({ tags: [['t', 'x'], ['-']] })).toMatch(/^blocked: protected events/);
    expect(verdict({ kind: 30_023, tags: [['-', 'and more']] })).toMatch(/^blocked: /);
    expect(verdict({ tags: [['t', '-']] })).toBe('passed');
    expect(verdict({ tags: [[], ['d', '']] })).toBe('passed');
  });

  it.each([6, 16])(
    '"If a repost … embeds the event anyway, relays SHOULD … reject it": kind %i',
    (kind) => {
      expect(verdict({ kind, content: guarded })).toMatch(/^blocked: a repost must not embed/);
      expect(verdict({ kind, content: disguised })).toMatch(/^blocked: a repost must not embed/);
    },
  );

  it.each([
    ['embeds an open event', open],
    ['embeds nothing', ''],
    ['embeds what is no JSON', '-{'],
    ['embeds what is no event', '["-"]'],
    ['embeds a number', '-1'],
    ['embeds null', 'null '],
    ['embeds tags that are none', '{"tags":{"0":"-"}}'],
  ])('takes a repost that %s', (_, content) => {
    expect(verdict({ kind: 6, content })).toBe('passed');
  });

  it('takes other kinds that quote one', () => {
    expect(verdict({ kind: 1, content: guarded })).toBe('passed');
  });
});
