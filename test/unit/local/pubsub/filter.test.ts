import fc from 'fast-check';
import { parseFilter } from '../../../../functions/local/pubsub/filter.ts';

describe('the filter of a subscription', () => {
  const matches = (filter: string, attributes: Record<string, string>) =>
    parseFilter(filter)(attributes);

  it('lets everything through when empty', () => {
    expect(matches('', {})).toBe(true);
    expect(matches('  ', { a: '1' })).toBe(true);
  });

  it.each([
    ['attributes:kind', { kind: '' }, true],
    ['attributes:kind', { other: '1' }, false],
    ['attributes.kind = "1"', { kind: '1' }, true],
    ['attributes.kind="1"', { kind: '10' }, false],
    ['attributes.kind = "1"', {}, false],
    ['attributes.kind != "1"', { kind: '1' }, false],
    ['attributes.kind != "1"', { kind: '2' }, true],
    ['attributes.kind != "1"', {}, true],
    ['hasPrefix(attributes.domain, "co")', { domain: 'com' }, true],
    ['hasPrefix(attributes.domain, "co")', { domain: 'org' }, false],
    ['hasPrefix(attributes.domain, "co")', {}, false],
    ['attributes:"iana.org/language_tag"', { 'iana.org/language_tag': 'en' }, true],
    ['attributes.my-key_1 = "v"', { 'my-key_1': 'v' }, true],
    ['attributes.a = "say \\"hi\\""', { a: 'say "hi"' }, true],
    ['attributes.a = "\\u00fc\\x41\\101"', { a: 'üAA' }, true],
    ['attributes:constructor', {}, false],
  ])('%s of %j is %s', (filter, attributes, expected) => {
    expect(matches(filter, attributes)).toBe(expected);
  });

  it.each([
    ['attributes:a AND attributes:b', 'ab'],
    ['attributes:a OR attributes:b', 'a,b,ab'],
    ['NOT attributes:a', ',b'],
    ['-attributes:a', ',b'],
    ['NOT NOT attributes:a', 'a,ab'],
    ['NOT (attributes:a AND attributes:b)', ',a,b'],
    ['NOT attributes:a AND attributes:b', 'b'],
    ['(attributes:a OR attributes:b) AND NOT (attributes:a AND attributes:b)', 'a,b'],
  ])('%s lets through "%s"', (filter, expected) => {
    const candidates = ['', 'a', 'b', 'ab'];
    const through = candidates.filter((keys) =>
      matches(filter, Object.fromEntries([...keys].map((key) => [key, 'x']))),
    );
    expect(through.join(',')).toBe(expected);
  });

  it.each([
    'kind = "1"',
    'attributes',
    'attributes.kind',
    'attributes.kind = 1',
    "attributes.kind = '1'",
    'attributes.kind == "1"',
    'attributes.kind = "1',
    'attributes.kind = "\\q"',
    'attributes:a attributes:b',
    'attributes:a and attributes:b',
    'attributes:a AND',
    'AND attributes:a',
    '(attributes:a',
    'attributes:a)',
    'attributes:a AND attributes:b OR attributes:c',
    'hasPrefix(attributes.a)',
    'hasPrefix("a", "b")',
    'NOT',
    'attributes:a ; drop',
    `attributes.a = "${'x'.repeat(250)}"`,
  ])('refuses %s', (filter) => {
    expect(() => parseFilter(filter)).toThrow(expect.objectContaining({ code: 3 }) as Error);
  });

  it('takes or refuses any text, and never breaks', () => {
    const pieces = fc.constantFrom(
      ...['attributes', ':', '.', '=', '!=', '"v"', 'a', 'AND', 'OR', 'NOT', '(', ')', '-', ' '],
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(pieces).map((list) => list.join(' ')),
        ),
        (text) => {
          try {
            expect(typeof parseFilter(text)({ a: 'v' })).toBe('boolean');
          } catch (error) {
            expect(error).toMatchObject({ code: 3 });
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
