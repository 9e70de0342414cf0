import {
  MessageIds,
  parseMessages,
  publishedAtMs,
} from '../../../../functions/local/pubsub/message.ts';
import { parseName } from '../../../../functions/local/pubsub/names.ts';
import { page } from '../../../../functions/local/pubsub/page.ts';

const invalid = expect.objectContaining({ code: 3 }) as Error;

describe('names of topics and subscriptions', () => {
  it.each([
    'projects/p/topics/abc',
    `projects/p/topics/a${'b'.repeat(254)}`,
    'projects/p/topics/A-b_c.d~e+f%25',
  ])('take %s', (name) => {
    expect(parseName(name, 'topics').project).toBe('p');
  });

  it.each([
    'abc',
    'projects/p/topics/ab',
    `projects/p/topics/a${'b'.repeat(255)}`,
    'projects/p/topics/1abc',
    'projects/p/topics/google-things',
    'projects/p/topics/a b',
    'projects/p/topics/abc/def',
    'projects//topics/abc',
    'projects/p/subscriptions/abc',
  ])('refuse %s', (name) => {
    expect(() => parseName(name, 'topics')).toThrow(invalid);
  });
});

describe('message ids', () => {
  it('grow, and tell the time of publishing', () => {
    const ids = new MessageIds(0);
    const before = Date.now();
    const list = Array.from({ length: 1_000 }, () => ids.next());
    expect(list).toEqual([...new Set(list)].sort((left, right) => left - right));
    expect(publishedAtMs(list[0] ?? 0)).toBeGreaterThanOrEqual(before);
    expect(publishedAtMs(list[0] ?? 0)).toBeLessThanOrEqual(Date.now() + 1);
  });

  it('go on from the last one when the clock went back', () => {
    const future = (Date.now() + 60_000) * 1_000;
    expect(new MessageIds(future).next()).toBe(future + 1);
  });
});

describe('a publish request', () => {
  const data = Buffer.from('x');

  it('counts data, attributes and ordering key', () => {
    const [content] = parseMessages([{ data, attributes: { ü: 'v' }, orderingKey: 'key' }]);
    expect(content?.bytes).toBe(1 + 2 + 1 + 3);
  });

  it.each([
    ['no message', []],
    ['an empty message', [{ data: Buffer.alloc(0) }]],
    ['an attribute without a name', [{ data, attributes: { '': 'v' } }]],
    ['an attribute named by Google', [{ data, attributes: { googclient: 'v' } }]],
    [
      'two ordering keys',
      [
        { data, orderingKey: 'a' },
        { data, orderingKey: 'b' },
      ],
    ],
    ['an ordering key that is too long', [{ data, orderingKey: 'k'.repeat(1_025) }]],
  ])('is refused with %s', (_, messages) => {
    expect(() => parseMessages(messages)).toThrow(invalid);
  });
});

describe('a list in pages', () => {
  it('gives every name once, in order', () => {
    const names = ['d', 'b', 'a', 'c', 'e'];
    const got: string[] = [];
    let pageToken = '';
    do {
      const { items, nextPageToken } = page(names, { pageSize: 2, pageToken });
      got.push(...items);
      pageToken = nextPageToken;
    } while (pageToken !== '');
    expect(got).toEqual(['a', 'b', 'c', 'd', 'e']);
  });
});
