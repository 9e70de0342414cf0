import { parseImportLine } from '../../../functions/client/import-line.ts';
import { signedEvent } from '../../support/signed-events.ts';

const event = signedEvent({ content: 'a "quote", a \\ and\na new line', tags: [['t', '\\n']] });
const other = signedEvent({ content: 'another' });
const text = JSON.stringify(event);
const parse = (line: string | Uint8Array) => parseImportLine(Buffer.from(line));

describe('a line of an export holds', () => {
  it.each([
    ['an event', text],
    [
      'an event with fields in another order',
      JSON.stringify(Object.fromEntries(Object.entries(event).toReversed())),
    ],
    ['an event with spaces, as json_build_object writes it', text.replaceAll('","', '" , "')],
    ["an event with strfry's packed form", JSON.stringify({ ...event, fried: '00ff' })],
    ['an event after a byte order mark', `\uFEFF${text}`],
    [
      'a line of our archive',
      `[{"acceptedAt":1,"trace":"00","source":"client","keys":[]},${text}]`,
    ],
    ['a message of a relay', `["EVENT","subscription",${text}]`],
    ['a message of a client', `["EVENT",${text}]`],
    ['an element of an array', `${text},`],
    ['an array of one event', `[${text}]`],
    ['an event whose backslashes COPY has doubled', text.replaceAll('\\', '\\\\')],
    [
      'a line of our archive whose backslashes COPY has doubled',
      `[{},${text}]`.replaceAll('\\', '\\\\'),
    ],
  ])('%s', (_, line) => {
    expect(parse(line)).toEqual({ ok: true, value: event });
  });

  it.each([
    ['nothing', ''],
    ['the begin of an array', '['],
    ['the end of an array', ']'],
  ])('no event where it is %s', (_, line) => {
    expect(parse(line)).toEqual({ ok: true, value: undefined });
  });

  it('an event whose id is wrong, for the relay to refuse', () => {
    const forged = { ...event, content: '\\\\' };
    expect(parse(JSON.stringify(forged))).toEqual({ ok: true, value: forged });
  });

  it.each([
    ['two events', `[${text},${JSON.stringify(other)}]`, 'several events'],
    ['three events', `[${text},${text},${text}]`, 'several events'],
    ['two lines that were joined', `[{},${text}][{},${text}]`, 'not JSON'],
    ['an outcome without an event', '[{"id":"00","outcome":"duplicate"}]', 'event must be'],
    ['an empty array', '[]', 'event must be'],
    ['another message', '["EOSE","subscription"]', 'event must be'],
    ['a row of numbers', '[1,2]', 'event must be'],
    ['a word', '"event"', 'event must be'],
    ['half an event', text.slice(0, 100), 'not JSON'],
  ])('and is refused with the reason where it is %s', (_, line, reason) => {
    expect(parse(line)).toEqual({ ok: false, reason: expect.stringContaining(reason) });
  });
});
