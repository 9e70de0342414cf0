import {
  cleanWords,
  parseRelayMessage,
  plainFilter,
  requestText,
} from '../../../functions/upstream/messages.ts';

const parse = (value: unknown) => parseRelayMessage(JSON.stringify(value));

describe('messages of a relay', () => {
  it.each([
    [['EVENT', 's1', { kind: 1 }], { type: 'EVENT', subscription: 's1', event: { kind: 1 } }],
    [['EOSE', 's1'], { type: 'EOSE', subscription: 's1' }],
    [['CLOSED', 's1', 'error: x'], { type: 'CLOSED', subscription: 's1', message: 'error: x' }],
    [['OK', 'id', true, ''], { type: 'OK', id: 'id', accepted: true, message: '' }],
    [['OK', 'id', false], { type: 'OK', id: 'id', accepted: false, message: '' }],
    [['NOTICE', 'hello'], { type: 'NOTICE', message: 'hello' }],
    [['AUTH', 'challenge'], { type: 'AUTH', challenge: 'challenge' }],
    [['COUNT', 's1', {}], { type: 'OTHER', verb: 'COUNT' }],
    [['EOSE', 's1', ['finish']], { type: 'EOSE', subscription: 's1', hint: 'finish' }],
    [['EOSE', 's1', ['new', 'more']], { type: 'EOSE', subscription: 's1', hint: 'more' }],
    [['EOSE', 's1', ['more', 'finish']], { type: 'EOSE', subscription: 's1', hint: 'more' }],
    [['EOSE', 's1', []], { type: 'EOSE', subscription: 's1' }],
    [['EOSE', 's1', 'finish'], { type: 'EOSE', subscription: 's1' }],
    [['EVENT', 's1'], { type: 'EVENT', subscription: 's1', event: undefined }],
  ])('%j are understood', (given, meant) => {
    expect(parse(given)).toEqual({ ok: true, value: meant });
  });

  it.each([
    ['{', 'message is not JSON'],
    ['{}', 'message is not a JSON array'],
    ['null', 'message is not a JSON array'],
    ['[]', 'message has no verb'],
    ['[1]', 'message has no verb'],
    ['["EOSE"]', 'EOSE without a string after the verb'],
    ['["OK","id","true",""]', 'OK without true or false'],
    [`["AUTH","${'x'.repeat(2_000)}"]`, 'AUTH with an endless challenge'],
    [`${'['.repeat(100_000)}`, 'message is not JSON'],
  ])('%.30s are refused with a reason', (text, reason) => {
    expect(parseRelayMessage(text)).toEqual({ ok: false, reason });
  });

  it('cannot break a line or send terminal codes', () => {
    expect(cleanWords('a\r\nb\u001b[31mred\u0007\u2028\ud800')).toBe('a b [31mred \ufffd');
    expect(cleanWords('x'.repeat(5_000))).toHaveLength(1_001);
  });

  it('carry filters as NIP-01 writes them', () => {
    const tags = new Map([
      ['e', ['a']],
      ['T', ['b', 'c']],
    ]);
    expect(plainFilter({ kinds: [1], tags, limit: 0, since: 5 })).toEqual({
      kinds: [1],
      limit: 0,
      since: 5,
      '#e': ['a'],
      '#T': ['b', 'c'],
    });
    expect(requestText('s1', [{}, { ids: [] }])).toBe('["REQ","s1",{},{"ids":[]}]');
  });
});
