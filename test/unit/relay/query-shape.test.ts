import type { Filter } from '../../../functions/nostr/filter.ts';
import { queryShape } from '../../../functions/relay/query-shape.ts';
import { authorOf } from '../../support/unsigned.ts';

const ids = [authorOf(9)];
const authors = [authorOf(1)];
const d = new Map([['d', ['x']]]);
const t = new Map([['t', ['x']]]);

describe('the shape of a filter', () => {
  it.each<[string, Filter]>([
    ['ids', { ids }],
    ['ids', { ids, authors, kinds: [1], tags: t }],
    ['address', { authors, kinds: [0, 3] }],
    ['address', { authors, kinds: [30_023], tags: d }],
    ['tags', { authors, kinds: [0], tags: t }],
    ['tags', { kinds: [1], tags: t }],
    ['tags', { kinds: [30_023], tags: d }],
    ['authors', { authors }],
    ['authors', { authors, kinds: [0, 1] }],
    ['kinds', { kinds: [1], since: 5 }],
    ['kinds', { kinds: [0] }],
    ['time', { since: 5, limit: 1 }],
    ['time', { tags: new Map() }],
  ])('is %s of %j', (shape, filter) => {
    expect(queryShape(filter)).toBe(shape);
  });
});
