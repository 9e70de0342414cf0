import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { eventText } from '../../../functions/nostr/event.ts';
import {
  closedMessage,
  eoseMessage,
  eventMessage,
  type Fault,
  faultMessage,
  faultOfEvent,
  faultOfOversize,
  noticeMessage,
  okMessage,
  parseClientMessage,
} from '../../../functions/nostr/messages.ts';
import { corpusFiles } from '../../support/corpus.ts';
import { secretKeyOf, signEvent } from '../../support/keys.ts';

const EVENT = signEvent({ kind: 1, created_at: 1, content: '"id":"x' }, secretKeyOf('messages'));
const PREFIXED = /^(invalid|unsupported): [^\n]+$/;

const faultIn = (text: string): Fault => {
  const parsed = parseClientMessage(text);
  if (parsed.ok) throw new Error(`taken: ${text}`);
  return parsed.reason;
};

describe('a message from a client', () => {
  it.each([
    [['EVENT', EVENT], { type: 'EVENT', event: EVENT }],
    [['EVENT', 7, 'more'], { type: 'EVENT', event: 7 }],
    [['REQ', 'a', {}], { type: 'REQ', id: 'a', filters: [{}] }],
    [['REQ', 'a', {}, 7, null], { type: 'REQ', id: 'a', filters: [{}, 7, null] }],
    [['COUNT', 'a', {}], { type: 'COUNT', id: 'a', filters: [{}] }],
    [['CLOSE', 'a'], { type: 'CLOSE', id: 'a' }],
    [['AUTH', EVENT], { type: 'AUTH', event: EVENT }],
    [
      ['NEG-OPEN', 'a', { kinds: [1] }, '6100'],
      { type: 'NEG-OPEN', id: 'a', filter: { kinds: [1] }, message: '6100' },
    ],
    [['NEG-MSG', 'a', '6100'], { type: 'NEG-MSG', id: 'a', message: '6100' }],
    [['NEG-CLOSE', 'a'], { type: 'NEG-CLOSE', id: 'a' }],
  ])('%j is understood', (message, value) => {
    expect(parseClientMessage(JSON.stringify(message))).toEqual({ ok: true, value });
  });

  it.each([
    ['', 'NOTICE', /not JSON/],
    ['hello', 'NOTICE', /not JSON/],
    ['{}', 'NOTICE', /must be a JSON array/],
    ['"REQ"', 'NOTICE', /must be a JSON array/],
    ['null', 'NOTICE', /must be a JSON array/],
    ['[]', 'NOTICE', /empty array/],
    ['[1]', 'NOTICE', /must begin with its type/],
    ['[["REQ"],"a",{}]', 'NOTICE', /must begin with its type/],
    ['["HELLO"]', 'NOTICE', /unsupported: message type "HELLO"/],
    ['["req","a",{}]', 'NOTICE', /unsupported: message type "req"/],
    ['["__proto__","a",{}]', 'NOTICE', /unsupported: message type/],
    ['["EVENT"]', 'NOTICE', /EVENT must hold an event/],
    ['["AUTH"]', 'NOTICE', /AUTH must hold an event/],
    ['["REQ"]', 'NOTICE', /REQ must hold a subscription id/],
    ['["REQ",{}]', 'NOTICE', /REQ must hold a subscription id/],
    ['["REQ",null,{}]', 'NOTICE', /REQ must hold a subscription id/],
    ['["CLOSE"]', 'NOTICE', /CLOSE must hold a subscription id/],
    ['["CLOSE",7]', 'NOTICE', /CLOSE must hold a subscription id/],
    ['["CLOSE",""]', 'NOTICE', /id is empty/],
    ['["NEG-CLOSE"]', 'NOTICE', /NEG-CLOSE must hold a subscription id/],
  ] as const)('%s gets a %s that names the fault', (text, answer, what) => {
    const fault = faultIn(text);
    expect(fault).toEqual({ answer, message: expect.stringMatching(what) });
    expect(fault.message).toMatch(PREFIXED);
  });

  it.each([
    ['["REQ","a"]', 'a', /REQ must hold a filter/],
    ['["COUNT","a"]', 'a', /COUNT must hold a filter/],
    ['["REQ","",{}]', '', /id is empty/],
    [`["REQ","${'x'.repeat(65)}",{}]`, 'x'.repeat(65), /has 65 characters, 64 are allowed/],
    ['["REQ","a",{"kinds":[1]}', 'a', /not JSON/],
    ['["REQ","\\u0061\\"",{]', 'a"', /not JSON/],
    [' [ "COUNT" , "a" , {]', 'a', /not JSON/],
  ] as const)('%s gets CLOSED for its subscription', (text, id, what) => {
    const fault = faultIn(text);
    expect(fault).toEqual({ answer: 'CLOSED', id, message: expect.stringMatching(what) });
    expect(fault.message).toMatch(PREFIXED);
  });

  it.each([
    ['["NEG-OPEN","a",{}]', /NEG-OPEN must hold a message/],
    ['["NEG-MSG","a"]', /NEG-MSG must hold a message/],
    ['["NEG-MSG","a","61', /not JSON/],
  ] as const)('%s gets NEG-ERR for its session', (text, what) => {
    const fault = faultIn(text);
    expect(fault).toEqual({ answer: 'NEG-ERR', id: 'a', message: expect.stringMatching(what) });
    expect(fault.message).toMatch(PREFIXED);
  });

  it('that is a broken EVENT gets OK false for its id', () => {
    const text = `["EVENT",${eventText(EVENT)}`;
    expect(faultIn(text)).toEqual({
      answer: 'OK',
      id: EVENT.id,
      message: expect.stringMatching(/not JSON/),
    });
  });

  it('may have a subscription id of 64 characters that take two places each', () => {
    const id = '😀'.repeat(64);
    expect(parseClientMessage(JSON.stringify(['REQ', id, {}])).ok).toBe(true);
    expect(faultIn(JSON.stringify(['REQ', `${id}x`, {}]))).toMatchObject({ answer: 'CLOSED' });
  });

  it('gets a short answer, however long its parts are', () => {
    const long = 'x'.repeat(100_000);
    for (const message of [[long], ['REQ', long, {}], ['REQ', long], ['CLOSE', long]]) {
      expect(faultMessage(faultIn(JSON.stringify(message))).length).toBeLessThan(250);
      expect(faultMessage(faultIn(JSON.stringify(message).slice(0, -1))).length).toBeLessThan(250);
    }
    expect(faultMessage(faultIn(long)).length).toBeLessThan(250);
  });

  it('may be nested as deeply as its length allows', () => {
    const depth = 100_000;
    expect(faultIn('['.repeat(depth)).message).toMatch(PREFIXED);
    const deep = `["REQ","a",${'['.repeat(depth)}${']'.repeat(depth)}]`;
    expect(parseClientMessage(deep).ok).toBe(true);
    expect(faultIn(`${'['.repeat(depth)}${']'.repeat(depth)}`).message).toMatch(PREFIXED);
  });

  it('is answered, whatever it is', () => {
    const any = fc.oneof(
      fc.string(),
      fc.json(),
      fc
        .tuple(
          fc.constantFrom('EVENT', 'REQ', 'CLOSE', 'COUNT', 'AUTH', 'NEG-OPEN', 'NEG-MSG'),
          fc.array(fc.jsonValue()),
        )
        .map(([verb, rest]) => JSON.stringify([verb, ...rest])),
    );
    const cut = fc.tuple(any, fc.nat(30)).map(([text, end]) => text.slice(0, text.length - end));
    fc.assert(
      fc.property(cut, (text) => {
        const parsed = parseClientMessage(text);
        if (parsed.ok) return;
        expect(parsed.reason.message).toMatch(/^(invalid|unsupported): /);
        const answer = JSON.parse(faultMessage(parsed.reason)) as unknown[];
        expect(answer[0]).toBe(parsed.reason.answer);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is judged as the JSON test suite says, alone and as a filter', () => {
    for (const { name, bytes } of corpusFiles('malformed/json-test-suite')) {
      const text = bytes.toString('utf8');
      expect(() => parseClientMessage(text)).not.toThrow();
      const { ok } = parseClientMessage(`["REQ","a",${text}]`);
      // Bytes that are no UTF-8 are the socket's to refuse.
      if (isUtf8(bytes) && name.startsWith('y_')) expect([name, ok]).toEqual([name, true]);
      if (isUtf8(bytes) && name.startsWith('n_')) expect([name, ok]).toEqual([name, false]);
    }
  });
});

describe('a message that is too large', () => {
  const start = (message: unknown) => JSON.stringify(message).slice(0, 300);

  it('gets OK false where the event id is among its first characters', () => {
    const large = { id: EVENT.id, content: 'x'.repeat(500) };
    expect(faultOfOversize(start(['EVENT', large]), 300_000, 262_144)).toEqual({
      answer: 'OK',
      id: EVENT.id,
      message: 'invalid: message has 300000 bytes, 262144 are allowed',
    });
  });

  it('is not fooled by an id inside of a string', () => {
    const content = JSON.stringify({ id: 'ab'.repeat(32) }) + 'x'.repeat(500);
    expect(faultOfOversize(start(['EVENT', { content }]), 2, 1).answer).toBe('NOTICE');
    const both = { content: JSON.stringify({ id: 'ab'.repeat(32) }), id: EVENT.id };
    expect(faultOfOversize(start(['EVENT', both]), 2, 1)).toMatchObject({ id: EVENT.id });
  });

  it('gets CLOSED where it is a REQ with a readable id', () => {
    const filters = Array.from({ length: 500 }, () => ({}));
    expect(faultOfOversize(start(['REQ', 'feed', ...filters]), 2, 1)).toMatchObject({
      answer: 'CLOSED',
      id: 'feed',
    });
  });

  it.each([
    start(['REQ', 'x'.repeat(400), {}]),
    start(['REQ', 'x'.repeat(101), {}]),
    start(['CLOSE', 'x'.repeat(400)]),
    start([`${'x'.repeat(400)}`]),
    '["REQ",',
    '["REQ","\\u12',
    '["REQ","a\nb",{}',
    '',
  ])('gets a NOTICE where it begins with %j', (text) => {
    expect(faultOfOversize(text, 2, 1)).toEqual({
      answer: 'NOTICE',
      message: 'invalid: message has 2 bytes, 1 are allowed',
    });
  });
});

describe('an event that is refused', () => {
  it('gets OK false with its id as the client wrote it', () => {
    const id = 'AB'.repeat(32);
    expect(faultOfEvent({ id }, 'invalid: x')).toEqual({ answer: 'OK', id, message: 'invalid: x' });
  });

  it.each([[null], [7], [[]], [{}], [{ id: 7 }], [{ id: 'ab' }], [{ id: `${'ab'.repeat(32)}\n` }]])(
    'gets a NOTICE where it is %j',
    (event) => {
      expect(faultOfEvent(event, 'invalid: x')).toEqual({
        answer: 'NOTICE',
        message: 'invalid: x',
      });
    },
  );
});

describe('messages to a client', () => {
  it('have the form of NIP-01', () => {
    expect(okMessage('ab', true, '')).toBe('["OK","ab",true,""]');
    expect(okMessage('ab', false, 'invalid: "x"')).toBe('["OK","ab",false,"invalid: \\"x\\""]');
    expect(eoseMessage('a"b')).toBe('["EOSE","a\\"b"]');
    expect(closedMessage('a', 'error: x')).toBe('["CLOSED","a","error: x"]');
    expect(noticeMessage('error: x')).toBe('["NOTICE","error: x"]');
  });

  it('carry an event by its text, to the letter', () => {
    const text = '{"id":"ab", "odd" : "\\u0041"}';
    expect(eventMessage('a"b', text)).toBe(`["EVENT","a\\"b",${text}]`);
  });
});
