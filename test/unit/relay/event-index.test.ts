import fc from 'fast-check';
import { EventIndex } from '../../../functions/relay/event-index.ts';
import { inOrder, matches } from '../../support/slow-oracle.ts';
import {
  asEntry,
  eventArbitrary,
  filterArbitrary,
  parsed,
  unsignedEntry,
} from '../../support/unsigned.ts';

const eventsAndFilter = fc
  .uniqueArray(eventArbitrary, { maxLength: 60, selector: (event) => event.id })
  .chain((events) => fc.tuple(fc.constant(events), filterArbitrary(events)));

describe('EventIndex', () => {
  it('answers every filter like a walk over all events, newest first, ties by lowest id', () => {
    fc.assert(
      fc.property(eventsAndFilter, fc.integer({ min: 1, max: 20 }), ([events, filter], limit) => {
        const index = new EventIndex();
        for (const event of events) index.add(asEntry(event));
        const expected = inOrder(events.filter((event) => matches(filter, event))).slice(0, limit);
        const found = index.query(parsed(filter), limit);
        expect(found.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
      }),
      { numRuns: 1_000 },
    );
  });

  it('forgets a removed event everywhere', () => {
    fc.assert(
      fc.property(eventsAndFilter, fc.nat(), ([events, filter], pick) => {
        const index = new EventIndex();
        for (const event of events) index.add(asEntry(event));
        const gone = events[pick % Math.max(1, events.length)];
        if (gone !== undefined) index.remove(gone.id);
        const expected = inOrder(
          events.filter((event) => event !== gone && matches(filter, event)),
        );
        const found = index.query(parsed(filter), Number.POSITIVE_INFINITY);
        expect(found.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
      }),
      { numRuns: 500 },
    );
  });

  it('holds an event once, however often it is added', () => {
    const index = new EventIndex();
    const entry = unsignedEntry({
      tags: [
        ['t', 'x'],
        ['t', 'x'],
      ],
    });
    expect(index.add(entry)).toBe(true);
    expect(index.add(entry)).toBe(false);
    expect(index.size).toBe(1);
    expect(index.tagged('t', 'x')).toHaveLength(1);
  });

  it('takes no memory for what was removed', () => {
    const index = new EventIndex();
    const entry = unsignedEntry({ tags: [['p', 'x']] });
    index.add(entry);
    expect(index.bytes).toBeGreaterThan(entry.text.length);
    index.remove(entry.id);
    expect(index.bytes).toBe(0);
    expect(index.tagged('p', 'x')).toEqual([]);
  });

  it('knows the newest version at an address, of two in one second the lowest id', () => {
    const index = new EventIndex();
    const versions = ['a', 'b', 'c'].map((content) => unsignedEntry({ kind: 0, content }));
    for (const version of versions) index.add(version);
    const lowest = versions.map(({ id }) => id).sort()[0];
    expect(index.newestAt(versions[0]?.address ?? '')?.id).toBe(lowest);
  });
});
