import fc from 'fast-check';
import type { NostrEvent } from '../../../functions/nostr/event.ts';
import {
  type FilterLimits,
  matchesFilter,
  matchesNothing,
  parseFilter,
} from '../../../functions/nostr/filter.ts';
import { compileFilter } from '../../../functions/nostr/matcher.ts';
import { sampleEvents } from '../../support/corpus.ts';
import { matches, type PlainFilter } from '../../support/slow-oracle.ts';

const LIMITS: FilterLimits = {
  idsMax: 20,
  authorsMax: 20,
  kindsMax: 20,
  tagValuesMax: 20,
  tagFiltersMax: 3,
};
const HEX = 'a1'.repeat(32);

const parsed = (filter: unknown) => {
  const result = parseFilter(filter, LIMITS);
  if (!result.ok) throw new Error(result.reason);
  return result.value;
};

describe('parseFilter', () => {
  it.each([
    [null, /^invalid: filter must be a JSON object/],
    [[], /^invalid: filter must be a JSON object/],
    ['{}', /^invalid: filter must be a JSON object/],
    [{ ids: HEX }, /^invalid: ids must be an array/],
    [{ ids: [HEX.toUpperCase()] }, /^invalid: ids must hold 64 lowercase hex/],
    [{ authors: [HEX.slice(1)] }, /^invalid: authors must hold 64 lowercase hex/],
    [{ '#e': ['short'] }, /^invalid: #e must hold 64 lowercase hex/],
    [{ '#p': [HEX, 1] }, /^invalid: #p must hold 64 lowercase hex/],
    [{ '#t': [1] }, /^invalid: #t must hold well-formed strings/],
    [{ '#t': ['\ud800'] }, /^invalid: #t must hold well-formed strings/],
    [{ '#t': 'x' }, /^invalid: #t must be an array/],
    [{ kinds: [65_536] }, /^invalid: kinds must hold integers from 0 to 65535/],
    [{ kinds: ['1'] }, /^invalid: kinds must hold integers/],
    [{ since: '1' }, /^invalid: since must be a whole number/],
    [{ until: -1 }, /^invalid: until must be a whole number/],
    [{ limit: 1.5 }, /^invalid: limit must be a whole number/],
    [{ limit: null }, /^invalid: limit must be a whole number/],
    [{ kinds: Array.from({ length: 21 }, (_, kind) => kind) }, /^invalid: kinds has 21 .* 20 are/],
    [{ '#a': [], '#b': [], '#c': [], '#d': [] }, /^invalid: filter has 4 tag conditions, 3 are/],
    [{ search: 'x' }, /^unsupported: filter field "search"/],
    [{ '#tt': ['x'] }, /^unsupported: filter field "#tt"/],
    [{ '#1': ['x'] }, /^unsupported: filter field "#1"/],
    [{ '&t': ['x'] }, /^unsupported: filter field "&t"/],
    [JSON.parse('{"__proto__": []}'), /^unsupported: filter field "__proto__"/],
  ])('refuses %j', (filter, reason) => {
    expect(parseFilter(filter, LIMITS)).toEqual({
      ok: false,
      reason: expect.stringMatching(reason),
    });
  });

  it('repeats no more than a piece of a field that it does not know', () => {
    const result = parseFilter({ ['x'.repeat(5_000)]: 1 }, LIMITS);
    expect(!result.ok && result.reason.length).toBeLessThan(100);
  });

  it('keeps each value once', () => {
    const filter = parsed({ ids: [HEX, HEX], kinds: [1, 1, 0, -0], '#t': ['x', 'x', ''] });
    expect(filter.ids).toEqual([HEX]);
    expect(filter.kinds).toEqual([1, 0]);
    expect(filter.tags?.get('t')).toEqual(['x', '']);
  });

  it('tells a missing condition from an empty one', () => {
    expect(parsed({})).toEqual({});
    expect(parsed({ ids: [] })).toEqual({ ids: [] });
    expect(matchesNothing(parsed({}))).toBe(false);
    for (const field of ['ids', 'authors', 'kinds', '#e']) {
      expect(matchesNothing(parsed({ [field]: [] }))).toBe(true);
    }
  });

  it('knows that nothing lies between a since and an earlier until', () => {
    expect(matchesNothing(parsed({ since: 2, until: 1 }))).toBe(true);
    expect(matchesNothing(parsed({ since: 1, until: 1 }))).toBe(false);
    expect(matchesNothing(parsed({ since: 1, until: 0 }))).toBe(true);
  });
});

describe('a filter', () => {
  const events = sampleEvents();

  it('matches what the slow oracle says, by both matchers', () => {
    let matched = 0;
    fc.assert(
      fc.property(filtersFor(events), (plain) => {
        const filter = parsed(plain);
        const compiled = compileFilter(filter);
        const wanted = events.filter((event) => matches(plain, event));
        matched += wanted.length;
        expect(events.filter((event) => matchesFilter(filter, event))).toEqual(wanted);
        expect(events.filter(compiled)).toEqual(wanted);
        expect(matchesNothing(filter) && wanted.length > 0).toBe(false);
      }),
      { numRuns: 200 },
    );
    expect(matched).toBeGreaterThan(500);
  });

  it('finds no tag of one element, also not by the empty value', () => {
    const event = { ...(events[0] as NostrEvent), tags: [['t'], ['x', '']] };
    expect(matchesFilter(parsed({ '#t': [''] }), event)).toBe(false);
    expect(matchesFilter(parsed({ '#x': [''] }), event)).toBe(true);
  });

  it('looks at the first value of a tag only, and tells capitals from small letters', () => {
    const event = { ...(events[0] as NostrEvent), tags: [['t', 'first', 'second']] };
    expect(matchesFilter(parsed({ '#t': ['second'] }), event)).toBe(false);
    expect(matchesFilter(parsed({ '#T': ['first'] }), event)).toBe(false);
    expect(matchesFilter(parsed({ '#t': ['x', 'first'] }), event)).toBe(true);
  });

  it('takes since and until at their own second, zero included', () => {
    const event = { ...(events[0] as NostrEvent), created_at: 5 };
    expect(matchesFilter(parsed({ since: 5, until: 5 }), event)).toBe(true);
    expect(matchesFilter(parsed({ since: 6 }), event)).toBe(false);
    expect(matchesFilter(parsed({ until: 0 }), event)).toBe(false);
  });
});

/**
 * Filters made after a real event: each has some of its conditions from that event, mostly so
 * that the event meets them, among values of other events.
 */
function filtersFor(events: readonly NostrEvent[]): fc.Arbitrary<PlainFilter> {
  const other = fc.constantFrom(...events);
  return other.chain((event) => {
    const list = <T>(own: T, others: fc.Arbitrary<T>) =>
      fc.oneof(
        { weight: 5, arbitrary: fc.array(others, { maxLength: 10 }).map((rest) => [...rest, own]) },
        { weight: 1, arbitrary: fc.array(others, { maxLength: 3 }) },
      );
    const near = (sign: 1 | -1) =>
      fc.integer({ min: -1, max: 10_000_000 }).map((gap) => event.created_at + sign * gap);
    const conditions: Record<string, fc.Arbitrary<unknown>> = {
      ids: list(
        event.id,
        other.map((of) => of.id),
      ),
      authors: list(
        event.pubkey,
        other.map((of) => of.pubkey),
      ),
      kinds: list(
        event.kind,
        other.map((of) => of.kind),
      ),
      since: near(-1).map((time) => Math.max(0, time)),
      until: near(1),
      limit: fc.nat(10),
    };
    for (const [name = '', value = ''] of event.tags) {
      const isHex = /^[0-9a-f]{64}$/.test(value);
      if (!/^[a-zA-Z]$/.test(name) || (['e', 'p'].includes(name) && !isHex)) continue;
      const others = fc.constantFrom('', HEX, value.slice(1), value.toUpperCase());
      conditions[`#${name}`] = list(value, isHex ? fc.constant(HEX) : others);
    }
    return fc
      .subarray(Object.keys(conditions), { maxLength: 3 })
      .chain((names) =>
        fc.record(Object.fromEntries(names.map((name) => [name, conditions[name] ?? fc.nat()]))),
      ) as fc.Arbitrary<PlainFilter>;
  });
}
