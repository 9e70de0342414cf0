import fc from 'fast-check';
import { computeId, eventText, type NostrEvent } from '../../functions/nostr/event.ts';
import type { Filter } from '../../functions/nostr/filter.ts';
import { type Entry, entryOf } from '../../functions/relay/entry.ts';
import type { PlainFilter } from './slow-oracle.ts';

/**
 * Events for the rooms behind verification: the id is true, the signature is not. Values come
 * from small sets, so that generated filters meet generated events.
 */
export interface UnsignedTemplate {
  readonly author?: number;
  readonly kind?: number;
  readonly created_at?: number;
  readonly tags?: readonly (readonly string[])[];
  readonly content?: string;
}

/** 64 hex characters that stand for the n-th author. */
export const authorOf = (n: number): string => n.toString(16).padStart(2, '0').repeat(32);

/** An event with a true id and a signature of zeros. */
export function unsigned(template: UnsignedTemplate = {}): NostrEvent {
  const event = {
    pubkey: authorOf(template.author ?? 1),
    kind: template.kind ?? 1,
    created_at: template.created_at ?? 1_700_000_000,
    tags: template.tags ?? [],
    content: template.content ?? '',
  };
  return { id: computeId(event), ...event, sig: '0'.repeat(128) };
}

/** The same as the relay keeps it in memory. */
export function unsignedEntry(template: UnsignedTemplate = {}): Entry {
  const event = unsigned(template);
  return entryOf(event, eventText(event));
}

export const asEntry = (event: NostrEvent): Entry => entryOf(event, eventText(event));

const START = 1_700_000_000;
const second = fc.integer({ min: START, max: START + 20 });
const author = fc.integer({ min: 1, max: 5 });
const kind = fc.constantFrom(0, 1, 3, 5, 7, 62, 10_002, 30_023, 45_000);
const letter = fc.constantFrom('e', 'p', 't', 'd', 'a', 'T');
const value = fc.constantFrom('', 'x', 'y', authorOf(1), authorOf(2));

export const eventArbitrary: fc.Arbitrary<NostrEvent> = fc
  .record({
    author,
    kind,
    created_at: second,
    tags: fc.array(
      fc.oneof(
        fc.tuple(letter, value),
        letter.map((name) => [name]),
        fc.tuple(letter, value, value),
      ),
      { maxLength: 4 },
    ),
    content: fc.constantFrom('', 'a', 'b'),
  })
  .map(unsigned);

/** A filter as clients write it. Ids are drawn from the events given. */
export function filterArbitrary(events: readonly NostrEvent[]): fc.Arbitrary<PlainFilter> {
  const some = <T>(from: fc.Arbitrary<T>) =>
    fc.option(fc.uniqueArray(from, { minLength: 1, maxLength: 3 }), { nil: undefined });
  const id =
    events.length > 0
      ? fc.constantFrom(...events.map((event) => event.id))
      : fc.constant('0'.repeat(64));
  const hexValue = fc.constantFrom(
    authorOf(1),
    authorOf(2),
    ...events.slice(0, 3).map((e) => e.id),
  );
  return fc
    .record({
      ids: fc.option(fc.uniqueArray(id, { minLength: 1, maxLength: 3 }), {
        nil: undefined,
        freq: 1,
      }),
      authors: some(author.map(authorOf)),
      kinds: some(kind),
      since: fc.option(second, { nil: undefined }),
      until: fc.option(second, { nil: undefined }),
      limit: fc.option(fc.integer({ min: 0, max: 12 }), { nil: undefined }),
      '#e': some(hexValue),
      '#t': some(value),
      '#d': some(value),
    })
    .map((filter) => {
      const kept = Object.entries(filter).filter(([field, given]) => {
        // Most filters have few conditions; with all of them nearly nothing would match.
        return given !== undefined && (field !== 'ids' || (given as string[]).length < 3);
      });
      return Object.fromEntries(kept) as PlainFilter;
    });
}

/** A plain filter in the form that the code under test takes. */
export function parsed(filter: PlainFilter): Filter {
  const { ids, authors, kinds, since, until, limit } = filter;
  const tags = new Map<string, readonly string[]>();
  for (const [field, values] of Object.entries(filter)) {
    if (field.startsWith('#')) tags.set(field.slice(1), values as readonly string[]);
  }
  return {
    ...(ids && { ids }),
    ...(authors && { authors }),
    ...(kinds && { kinds }),
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
    ...(limit !== undefined && { limit }),
    ...(tags.size > 0 && { tags }),
  };
}
