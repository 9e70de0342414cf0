import fc from 'fast-check';
import { decodeLines, encodeLines, FORMAT } from '../../../functions/cloud/envelope.ts';

describe('message envelope', () => {
  it('gives back every meta and event it was given', () => {
    const line = fc.record({ meta: fc.object(), event: fc.option(fc.jsonValue()) });
    fc.assert(
      fc.property(fc.array(line, { maxLength: 10 }), (lines) => {
        const data = encodeLines(
          lines.map(({ meta, event }) =>
            event === null ? { meta } : { meta, text: JSON.stringify(event) },
          ),
        );
        const wanted = lines.map(({ meta, event }) => ({
          meta: JSON.parse(JSON.stringify(meta)) as unknown,
          event: event === null ? undefined : (JSON.parse(JSON.stringify(event)) as unknown),
        }));
        expect(decodeLines(data, FORMAT)).toEqual(wanted);
      }),
    );
  });

  it('puts a text in as it is', () => {
    const text = '{ "id" : "\\u0041" }';
    expect(encodeLines([{ meta: { a: 1 }, text }]).toString()).toBe(`[{"a":1},${text}]`);
  });

  it('reports a bad line in its place and leaves its neighbours unharmed', () => {
    const data = Buffer.from('[{"a":1},{"b":2}]\n[{"a"\n{"no":"array"}\n[{},3]');
    expect(decodeLines(data, FORMAT)).toEqual([
      { meta: { a: 1 }, event: { b: 2 } },
      { fault: 'line is no JSON' },
      { fault: 'line is no JSON array' },
      { meta: {}, event: 3 },
    ]);
  });

  it('reads no format that it does not know', () => {
    expect(decodeLines(Buffer.from('[{}]'), '999')).toBeUndefined();
    expect(decodeLines(Buffer.from('[{}]'), undefined)).toBeUndefined();
  });
});
