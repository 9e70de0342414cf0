import { secretKeyOf, signEvent } from '../../support/keys.ts';
import { countOf } from '../../support/metrics.ts';
import { startServer, type TestServer } from '../../support/relay-server.ts';
import { until } from '../../support/until.ts';
import type { Wire } from '../../support/wire.ts';

const EVENT = signEvent(
  { kind: 1, created_at: Math.floor(Date.now() / 1_000), content: 'x'.repeat(300_000) },
  secretKeyOf('connection bad input'),
);

describe('a connection that gets nonsense', () => {
  let relay: TestServer;
  let wire: Wire;
  beforeAll(async () => {
    relay = await startServer();
  });
  beforeEach(async () => {
    wire = await relay.connect();
  });
  afterEach(() => wire.drop());
  afterAll(() => relay.close());

  it.each<[string, string]>([
    ['no JSON', 'hello'],
    ['nothing', ''],
    ['half a message', '["REQ"'],
    ['an object', '{"EVENT":{}}'],
    ['an empty array', '[]'],
    ['a number for a verb', '[1]'],
    ['an unknown verb', '["HELLO","there"]'],
    ['a verb in small letters', '["req","a",{}]'],
    ['REQ without an id', '["REQ"]'],
    ['REQ with a number for an id', '["REQ",1,{}]'],
    ['CLOSE without an id', '["CLOSE"]'],
    ['a byte order mark', '\uFEFF["CLOSE","a"]'],
    ['200,000 nested arrays', '['.repeat(200_000) + ']'.repeat(62_000)],
    ['nested arrays that end', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
  ])('answers %s by a NOTICE that names the fault, and goes on', async (_, text) => {
    wire.send(text);
    const [, message] = await wire.next('NOTICE');
    expect(message).toMatch(/^(invalid|unsupported): .{10,}/);
    expect(String(message).length).toBeLessThan(300);
    expect(await wire.works()).toBe(true);
  });

  it.each<[string, string, RegExp]>([
    ['no filter', '["REQ","a"]', /^invalid: REQ must hold a filter/],
    ['a filter that is a list', '["REQ","a",[]]', /^invalid: filter must be a JSON object/],
    ['a filter that is null', '["REQ","a",null]', /^invalid: filter must be a JSON object/],
    ['broken JSON', '["REQ","a",{"kinds":[1}]', /^invalid: message is not JSON/],
    ['deep nesting', `["REQ","a",${'['.repeat(50_000)}${']'.repeat(50_000)}]`, /^invalid: filter/],
    [
      '10,000 filters',
      `["REQ","a"${',{}'.repeat(10_000)}]`,
      /^invalid: REQ has 10000 filters, 20 /,
    ],
  ])('answers REQ with %s by CLOSED', async (_, text, reason) => {
    wire.send(text);
    const [, , message] = await wire.next('CLOSED', 'a');
    expect(message).toMatch(reason);
    expect(await wire.works()).toBe(true);
  });

  it('answers a binary message by NOTICE', async () => {
    wire.socket.send(Buffer.from(JSON.stringify(['REQ', 'a', {}])));
    const [, message] = await wire.next('NOTICE');
    expect(message).toMatch(/^invalid: binary/);
    expect(await wire.works()).toBe(true);
  });

  it.each<[string, object]>([
    ['first', EVENT],
    ['last', { content: EVENT.content, tags: [], id: EVENT.id }],
  ])('answers an oversize event by OK false when its id comes %s', async (_, event) => {
    const text = JSON.stringify(['EVENT', event]);
    wire.send(text);
    const [, , accepted, message] = await wire.next('OK', EVENT.id);
    expect(accepted).toBe(false);
    expect(message).toBe(`invalid: message has ${text.length} bytes, 262400 are allowed`);
    expect(await wire.works()).toBe(true);
  });

  it('answers an oversize REQ by CLOSED and any other oversize message by NOTICE', async () => {
    const filler = 'x'.repeat(300_000);
    wire.send(['REQ', 'big', { '#t': [filler] }], ['WHAT', filler]);
    expect((await wire.next('CLOSED', 'big'))[2]).toMatch(/^invalid: message has 300/);
    expect((await wire.next('NOTICE'))[1]).toMatch(/^invalid: message has 300/);
    expect(await wire.works()).toBe(true);
  });

  it('takes a message of exactly the allowed size', async () => {
    const frame = (filler: string) => JSON.stringify(['REQ', 'fits', { '#t': [filler], limit: 0 }]);
    wire.send(frame('x'.repeat(262_400 - frame('').length)));
    await wire.next('EOSE', 'fits');
  });

  it('closes with 1009 at four times the allowed size', async () => {
    wire.send(['EVENT', 'x'.repeat(4 * 262_400)]);
    expect((await wire.ended()).code).toBe(1009);
  });

  it('closes with 1007 at invalid UTF-8, as RFC 6455 demands', async () => {
    wire.socket.send(Buffer.from([0x22, 0xff, 0xfe, 0x22]), { binary: false });
    expect((await wire.ended()).code).toBe(1007);
  });

  it('closes with 1008, and says why, where a client floods it with pings', async () => {
    const broken = () => countOf(relay.metrics, 'disconnects_total', { cause: 'protocol' }) ?? 0;
    const before = broken();
    for (let count = 0; count < 10_000; count += 1) wire.socket.ping();
    expect(await wire.ended()).toEqual({ code: 1008, reason: 'too many pings at once' });
    await until(() => broken() === before + 1, { what: 'its end to be counted' });
  });

  it('refuses lone surrogates, which no id can commit to', async () => {
    wire.send(JSON.stringify(['EVENT', { ...EVENT, content: '#' }]).replace('"#"', '"\\ud800"'));
    const [, , , message] = await wire.next('OK', EVENT.id);
    expect(message).toBe('invalid: content holds a lone surrogate');
  });
});
