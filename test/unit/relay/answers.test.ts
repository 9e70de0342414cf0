import { eventText, type NostrEvent } from '../../../functions/nostr/event.ts';
import type { Filter } from '../../../functions/nostr/filter.ts';
import { AnswerTooLarge } from '../../../functions/relay/answer-bytes.ts';
import { Answers, type AskVersions, type QueryStored } from '../../../functions/relay/answers.ts';
import type { Verdict } from '../../../functions/relay/engine-types.ts';
import { EventIndex } from '../../../functions/relay/event-index.ts';
import { Pending } from '../../../functions/relay/pending.ts';
import { RecentWindow } from '../../../functions/relay/recent-window.ts';
import { asEntry, authorOf, unsigned } from '../../support/unsigned.ts';

const origin = { trace: 't', source: 'client', keys: [] };
const accepted = Promise.resolve<Verdict>({
  accepted: true,
  message: '',
  outcome: 'accepted',
});
const signal = new AbortController().signal;

/** Answers over a database of these events, with those pending, and no window. */
function answersOf(
  stored: readonly NostrEvent[],
  pendingEvents: readonly NostrEvent[] = [],
  limits: { answerBytesMax?: number; answersBytesMax?: number } = {},
) {
  const database = new EventIndex();
  for (const event of stored) database.add(asEntry(event));
  const pending = new Pending(1e9);
  for (const event of pendingEvents) {
    pending.begin(asEntry(event), origin, accepted, 0);
    pending.markDurable(event.id);
  }
  const asked: { filter: Filter; limit: number }[] = [];
  const gate = { open: Promise.resolve() };
  /** Of filters with kinds. */
  const slow = { gate: Promise.resolve() };
  const query: QueryStored = async (filter, { limit, take }) => {
    asked.push({ filter, limit });
    const found = database.query(filter, limit);
    await gate.open;
    if (filter.kinds !== undefined) await slow.gate;
    return found.map((entry) => {
      take(entry.text.length);
      return { id: entry.id, createdAt: entry.created_at, kind: entry.kind, text: entry.text };
    });
  };
  const versions: AskVersions = async (addresses) =>
    addresses.map(({ kind, pubkey, d }) => database.newestAt(`${kind}:${pubkey}:${d}`));
  const window = new RecentWindow({ eventsMax: 0, bytesMax: 0 });
  const answers = new Answers(window, pending, query, versions, {
    limitDefault: 100,
    limitMax: 100,
    requestEventsMax: 1_000,
    answerBytesMax: 1e9,
    answersBytesMax: 1e9,
    ...limits,
  });
  const find = async (...filters: Filter[]) =>
    (await answers.find(filters, signal)).events.map(({ id }) => id);
  return { find, asked, pending, gate, slow };
}

describe('Answers', () => {
  it('fill the limit although pending versions hide more stored ones than it', async () => {
    const authors = Array.from({ length: 20 }, (_, n) => n + 1);
    const old = authors.map((author) => unsigned({ kind: 0, author, created_at: 500 }));
    const newer = authors.map((author) =>
      unsigned({ kind: 0, author, created_at: 900, tags: [['t', 'other']] }),
    );
    const notes = [1, 2, 3].map((n) => unsigned({ created_at: 100 + n, content: String(n) }));
    const { find, asked } = answersOf([...old, ...notes], newer);
    const found = await find({ until: 600, limit: 3 });
    expect(found).toEqual(notes.map(({ id }) => id).reverse());
    expect(asked.at(-1)?.limit).toBeLessThan(100);
  });

  it('ask for no more than the limit where nothing is hidden, however much is pending', async () => {
    const pending = Array.from({ length: 200 }, (_, n) =>
      unsigned({ kind: 30_023, created_at: n, tags: [['d', String(n)]] }),
    );
    const { find, asked } = answersOf(
      [1, 2, 3].map((n) => unsigned({ created_at: n, content: String(n) })),
      pending,
    );
    await find({ kinds: [1], limit: 2 });
    expect(asked.map(({ limit }) => limit)).toEqual([2]);
  });

  it('show no pending version of which a newer one is stored that the filter does not match', async () => {
    const older = {
      kind: 30_023,
      created_at: 5,
      tags: [
        ['d', 'a:b'],
        ['t', 'x'],
      ],
    };
    const newer = unsigned({ kind: 30_023, created_at: 9, tags: [['d', 'a:b']] });
    const profile = unsigned({ kind: 0, created_at: 5, tags: [['t', 'x']] });
    const { find } = answersOf(
      [newer, unsigned({ kind: 0, created_at: 7 })],
      [unsigned(older), unsigned({ ...older, author: 2 }), profile],
    );
    const other = unsigned({ ...older, author: 2 });
    expect(await find({ tags: new Map([['t', ['x']]]) })).toEqual([other.id]);
    expect(await find({ until: 6 })).toEqual([other.id]);
    expect(await find({ ids: [unsigned(older).id, profile.id] })).toEqual([]);
    expect(await find({ kinds: [30_023], authors: [authorOf(1)] })).toEqual([newer.id]);
  });

  it('hide what was superseded when the query began, also when that has settled since', async () => {
    const stored = unsigned({ kind: 0, created_at: 5 });
    const newer = unsigned({ kind: 0, created_at: 9 });
    const { find, pending, gate } = answersOf([stored], [newer]);
    let open = (): void => {};
    gate.open = new Promise((resolve) => {
      open = resolve;
    });
    const finding = find({ kinds: [0] });
    pending.settle(newer.id);
    open();
    expect(await finding).toEqual([newer.id]);
  });

  it('refuse an answer above its bytes, and then hold none of them', async () => {
    const stored = [1, 2, 3].map((n) => unsigned({ created_at: n, content: 'x'.repeat(1_000) }));
    const bytes = eventText(stored[0]!).length;
    const limits = { answerBytesMax: 2 * bytes, answersBytesMax: 2 * bytes };
    const { find } = answersOf(stored, [], limits);
    await expect(find({})).rejects.toThrow(AnswerTooLarge);
    await expect(find({ limit: 1 }, { until: 2, limit: 2 })).rejects.toThrow(AnswerTooLarge);
    expect(await find({ limit: 2 })).toHaveLength(2);
    expect(await find({ limit: 2 })).toHaveLength(2);
  });

  it('count nothing that comes in for a filter after another one has failed', async () => {
    const stored = [1, 2, 3].map((n) => unsigned({ created_at: n, content: 'x'.repeat(1_000) }));
    const bytes = eventText(stored[0]!).length;
    const limits = { answerBytesMax: 2 * bytes, answersBytesMax: 2 * bytes };
    const { find, slow } = answersOf(stored, [], limits);
    let open = (): void => {};
    slow.gate = new Promise((resolve) => {
      open = resolve;
    });
    await expect(find({}, { kinds: [1], limit: 1 })).rejects.toThrow(AnswerTooLarge);
    open();
    await new Promise(setImmediate);
    expect(await find({ limit: 2 })).toHaveLength(2);
  });

  it('share a bound on bytes among all questions under way', async () => {
    const stored = [1, 2].map((n) => unsigned({ created_at: n, content: 'x'.repeat(1_000) }));
    const bytes = eventText(stored[0]!).length;
    const { find } = answersOf(stored, [], {
      answerBytesMax: 2 * bytes,
      answersBytesMax: 3 * bytes,
    });
    const together = await Promise.allSettled([find({}), find({})]);
    expect(together.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });
});
