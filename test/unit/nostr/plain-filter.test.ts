import { plainFilter } from '../../../functions/nostr/plain-filter.ts';

it('a filter in JSON carries each tag condition under its letter', () => {
  const tags = new Map([['t', ['x', 'y']]]);
  expect(plainFilter({ kinds: [1], since: 5, tags })).toEqual({
    kinds: [1],
    since: 5,
    '#t': ['x', 'y'],
  });
});
