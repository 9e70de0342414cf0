import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { ItemsBuilder } from '../../../../functions/nostr/negentropy/builder.ts';
import { hexOf, type Items } from '../../../../functions/nostr/negentropy/items.ts';
import { varintBytes } from '../../../../functions/nostr/negentropy/varint.ts';
import { type Item, randomItems, sealed } from '../../../support/reconciling.ts';

const order = (a: Item, b: Item) =>
  a.createdAt - b.createdAt || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

const listed = (items: Items): Item[] =>
  Array.from({ length: items.size }, (_, index) => ({
    createdAt: items.createdAt(index),
    id: items.id(index),
  }));

/** NIP-77's words, one by one, with whole numbers of any size. */
function slowFingerprint(ids: readonly string[]): string {
  let sum = 0n;
  for (const id of ids) sum += BigInt(`0x${Buffer.from(id, 'hex').reverse().toString('hex')}`);
  const bytes = Buffer.from((sum % 2n ** 256n).toString(16).padStart(64, '0'), 'hex').reverse();
  const input = Buffer.concat([bytes, varintBytes(ids.length)]);
  return createHash('sha256').update(input).digest('hex').slice(0, 32);
}

/** Ids that begin alike now and then, in few seconds. */
const item = fc
  .tuple(fc.integer({ min: 0, max: 5 }), fc.constantFrom('00', 'ff', '7f'), fc.nat(0xffffff))
  .map(([createdAt, start, end]) => ({
    createdAt,
    id: start.repeat(20) + end.toString(16).padStart(24, start),
  }));

describe('a set of items', () => {
  it('is sorted by time, then id, each item once, in whatever order it came', () => {
    fc.assert(
      fc.property(fc.array(item, { maxLength: 200 }), (given) => {
        const unique = [...new Map(given.map((one) => [one.createdAt + one.id, one])).values()];
        expect(listed(sealed(given))).toEqual(unique.sort(order));
      }),
    );
  });

  it('is the same whether it comes newest first, oldest first or mixed', () => {
    const items = randomItems(20_000, 1, 5_000);
    const sorted = [...items].sort(order);
    const newestFirst = [...items].sort(
      (a, b) => b.createdAt - a.createdAt || (a.id < b.id ? -1 : 1),
    );
    for (const given of [items, sorted, newestFirst, [...newestFirst, ...items.slice(0, 100)]]) {
      expect(listed(sealed(given))).toEqual(sorted);
    }
  });

  it('has the fingerprints that NIP-77 describes, of every range', () => {
    const items = sealed(randomItems(150, 2));
    const ids = listed(items).map(({ id }) => id);
    for (let from = 0; from <= 150; from += 7) {
      for (let to = from; to <= 150; to += 11) {
        expect(hexOf(items.fingerprint(from, to))).toBe(slowFingerprint(ids.slice(from, to)));
      }
    }
  });

  it('has the same fingerprints where sums overflow', () => {
    const high = Array.from({ length: 100 }, (_, n) => ({
      createdAt: n,
      id: 'f'.repeat(62) + n.toString(16).padStart(2, '0'),
    }));
    const items = sealed(high);
    const ids = high.map(({ id }) => id);
    expect(hexOf(items.fingerprint(0, 100))).toBe(slowFingerprint(ids));
    expect(hexOf(items.fingerprint(40, 97))).toBe(slowFingerprint(ids.slice(40, 97)));
  });

  it('finds the bound between any two neighbours', () => {
    fc.assert(
      fc.property(fc.array(item, { minLength: 2, maxLength: 60 }), (given) => {
        const items = sealed(given);
        for (let index = 1; index < items.size; index += 1) {
          expect(items.lowerBound(items.boundBefore(index), 0)).toBe(index);
        }
      }),
    );
  });

  it('gives its newest items as a set of their own', () => {
    const items = sealed(randomItems(200, 3));
    const newest = items.newest(70);
    expect(listed(newest)).toEqual(listed(items).slice(130));
    expect(newest.fingerprint(5, 70)).toEqual(items.fingerprint(135, 200));
    expect(items.newest(500)).toBe(items);
  });

  it.each([
    ['a time in parts of seconds', 1.5, '0'.repeat(64)],
    ['a time before 1970', -1, '0'.repeat(64)],
    ['an id that is too short', 1, '0'.repeat(62)],
    ['an id that is too long', 1, '0'.repeat(66)],
    ['an id that is no hex', 1, 'g'.repeat(64)],
  ])('does not take %s', (_, createdAt, id) => {
    expect(() => new ItemsBuilder().add(createdAt, id)).toThrow(RangeError);
  });

  it('may be empty', () => {
    const items = sealed([]);
    expect(items.size).toBe(0);
    expect(hexOf(items.fingerprint(0, 0))).toBe(slowFingerprint([]));
  });
});
