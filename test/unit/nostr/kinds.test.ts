import { isDeletable, isVersioned, kindClass } from '../../../functions/nostr/kinds.ts';

it.each([
  [0, 'replaceable'],
  [1, 'regular'],
  [2, 'regular'],
  [3, 'replaceable'],
  [4, 'regular'],
  [44, 'regular'],
  [45, 'regular'],
  [999, 'regular'],
  [1_000, 'regular'],
  [9_999, 'regular'],
  [10_000, 'replaceable'],
  [19_999, 'replaceable'],
  [20_000, 'ephemeral'],
  [29_999, 'ephemeral'],
  [30_000, 'addressable'],
  [39_999, 'addressable'],
  [40_000, 'regular'],
  [65_535, 'regular'],
] as const)('kind %d is %s', (kind, of) => {
  expect(kindClass(kind)).toBe(of);
  expect(isVersioned(kind)).toBe(of === 'replaceable' || of === 'addressable');
});

it('lets no deletion take back deletions and requests to vanish', () => {
  expect([0, 1, 5, 62, 30_000].filter(isDeletable)).toEqual([0, 1, 30_000]);
});
