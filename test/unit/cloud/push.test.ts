import { parsePush } from '../../../functions/cloud/push.ts';

const body = (message: object) => ({ message, subscription: 'projects/p/subscriptions/s' });

describe('parsePush', () => {
  it('takes apart what a push subscription sends', () => {
    const parsed = parsePush({
      ...body({
        data: Buffer.from('hello').toString('base64'),
        attributes: { format: '1' },
        messageId: '7',
        message_id: '7',
        publishTime: '2026-01-02T03:04:05.678Z',
      }),
      deliveryAttempt: 3,
    });
    expect(parsed).toEqual({
      ok: true,
      value: {
        data: Buffer.from('hello'),
        attributes: { format: '1' },
        messageId: '7',
        publishedAt: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
        deliveryAttempt: 3,
      },
    });
  });

  it('takes a message of attributes only', () => {
    expect(parsePush(body({ attributes: { a: 'b' } }))).toMatchObject({
      ok: true,
      value: { data: Buffer.alloc(0), attributes: { a: 'b' }, publishedAt: undefined },
    });
  });

  it.each(['', 'a', 'ab', 'abc', 'abcd', 'a'.repeat(1_000)])('takes the base64 of %j', (text) => {
    const data = Buffer.from(text).toString('base64');
    expect(parsePush(body({ data }))).toMatchObject({ value: { data: Buffer.from(text) } });
  });

  it.each([
    ['no object', 'text', 'body is no JSON object'],
    ['an array', [], 'body is no JSON object'],
    ['nothing', undefined, 'body is no JSON object'],
    ['no message', {}, 'body has no message'],
    ['a message that is text', { message: 'x' }, 'body has no message'],
    ['data that is no text', body({ data: 5 }), 'data is no base64'],
    ['data that is no base64', body({ data: 'a$$$' }), 'data is no base64'],
    ['attributes that are a list', body({ attributes: [] }), 'attributes are no JSON object'],
    ['an attribute that is a number', body({ attributes: { a: 1 } }), 'an attribute is no string'],
  ])('refuses %s', (_what, given, reason) => {
    expect(parsePush(given)).toEqual({ ok: false, reason });
  });
});
