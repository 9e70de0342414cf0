import type { NostrEvent } from '../../functions/nostr/event.ts';
import { corpusLines } from '../support/corpus.ts';
import { type EventTemplate, publicKeyOf, secretKeyOf, signEvent } from '../support/keys.ts';
import { answer, inOrder, remaining } from '../support/slow-oracle.ts';

const ALICE = secretKeyOf('alice');
const MALLORY = secretKeyOf('mallory');
const by = (key: Uint8Array, template: EventTemplate) => signEvent(template, key);
const left = (...events: NostrEvent[]) => {
  const forwards = remaining(events);
  expect(remaining([...events].reverse())).toEqual(forwards);
  expect(remaining([...events, ...events])).toEqual(forwards);
  return new Set(forwards);
};

const note = by(ALICE, { kind: 1, created_at: 10 });
const older = by(ALICE, { kind: 30_000, created_at: 10, tags: [['d', 'x']] });
const newer = by(ALICE, { kind: 30_000, created_at: 20, tags: [['d', 'x']] });
const address = `30000:${publicKeyOf(ALICE)}:x`;
const deletion = (tags: string[][], created_at = 5, key = ALICE) =>
  by(key, { kind: 5, created_at, tags });

it('keeps regular events, and drops ephemeral ones', () => {
  const ephemeral = by(ALICE, { kind: 20_000, created_at: 10 });
  expect(left(note, ephemeral)).toEqual(new Set([note]));
});

it('keeps the newest version at an address, and of two in one second the lowest id', () => {
  expect(left(older, newer)).toEqual(new Set([newer]));
  const elsewhere = by(ALICE, { kind: 30_000, created_at: 10, tags: [['d', 'y']] });
  expect(left(newer, elsewhere)).toEqual(new Set([newer, elsewhere]));
  const twins = ['a', 'b'].map((content) => by(ALICE, { kind: 0, created_at: 10, content }));
  const lowest = twins.map(({ id }) => id).sort()[0];
  expect([...left(...twins)].map(({ id }) => id)).toEqual([lowest]);
});

it('deletes by id what its author names, whatever the times', () => {
  const request = deletion([['e', note.id]]);
  expect(left(note, request)).toEqual(new Set([request]));
  const strangers = deletion([['e', note.id]], 99, MALLORY);
  expect(left(note, strangers)).toEqual(new Set([note, strangers]));
});

it('deletes by address up to the time of the request', () => {
  const request = deletion([['a', address]], 10);
  expect(left(older, request)).toEqual(new Set([request]));
  expect(left(older, newer, request)).toEqual(new Set([newer, request]));
  const strangers = deletion([['a', address]], 99, MALLORY);
  expect(left(older, strangers)).toEqual(new Set([older, strangers]));
});

it('lets a deleted version supersede older ones', () => {
  const request = deletion([['e', newer.id]]);
  expect(left(older, newer, request)).toEqual(new Set([request]));
  expect(left(older, request)).toEqual(new Set([older, request]));
});

it('deletes neither deletions nor requests to vanish', () => {
  const vanish = by(ALICE, { kind: 62, created_at: 10 });
  const first = deletion([['e', note.id]]);
  const second = deletion([
    ['e', first.id],
    ['e', vanish.id],
  ]);
  expect(left(note, first, second, vanish)).toEqual(new Set([first, second, vanish]));
});

it('answers each event once, newest first, with the limit in each filter', () => {
  const events = [1, 2, 3, 4].map((created_at) => by(ALICE, { kind: 1, created_at }));
  const times = (...filters: Parameters<typeof answer>[1]) =>
    answer(events, filters, 3).map(({ created_at }) => created_at);
  expect(times({})).toEqual([4, 3, 2]);
  expect(times({ limit: 1 }, { until: 2, limit: 1 }, { ids: [] })).toEqual([4, 2]);
  expect(times({ limit: 0 })).toEqual([]);
  expect(inOrder(events).map(({ created_at }) => created_at)).toEqual([4, 3, 2, 1]);
});

it('counts in the larger corpus what another script counted', () => {
  const events = corpusLines('real-events.jsonl.gz').map((line) => JSON.parse(line) as NostrEvent);
  if (events.length === 0) return;
  const counted = JSON.parse(corpusLines('expected.json').join('')) as Counted;
  // The one deletion that hits an event of the corpus hits the ephemeral one.
  expect(remaining(events)).toHaveLength(counted.stored_before_deletion_expiry_and_time_limits);
});

interface Counted {
  readonly stored_before_deletion_expiry_and_time_limits: number;
}
