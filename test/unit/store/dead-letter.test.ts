import { decodeLines, FORMAT } from '../../../functions/cloud/envelope.ts';
import { deadEvent, deadMessage } from '../../../functions/store/dead-letter.ts';

describe('dead letters', () => {
  it('keep one event in the form in which it came, with reason and SQLSTATE', () => {
    const { data, attributes } = deadEvent(
      { meta: { trace: 't' }, text: '{"id":1}' },
      'why',
      '23514',
    );
    expect(attributes).toEqual({ format: FORMAT, reason: 'why', sqlstate: '23514' });
    expect(decodeLines(data, attributes['format'])).toEqual([
      { meta: { trace: 't' }, event: { id: 1 } },
    ]);
  });

  it('keep a message that cannot be read with the attributes that it had', () => {
    const data = Buffer.from([1, 2, 3]);
    expect(deadMessage(data, { format: '9', a: 'b' }, 'why')).toEqual({
      data,
      attributes: { format: '9', a: 'b', reason: 'why' },
    });
  });

  it("stay within Pub/Sub's limits whatever came", () => {
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`a${n}`, 'x']));
    const { data, attributes } = deadMessage(Buffer.alloc(12_000_000), many, '漢'.repeat(1_000));
    expect(data.length).toBeLessThan(10_000_000);
    expect(Object.keys(attributes)).toHaveLength(100);
    const reason = attributes['reason'] ?? '';
    expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(1_024);
    expect(reason).toBe('漢'.repeat(341));
  });
});
