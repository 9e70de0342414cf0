import type { Verdict } from '../../../functions/relay/engine-types.ts';
import { Pending } from '../../../functions/relay/pending.ts';
import { unsignedEntry } from '../../support/unsigned.ts';

const origin = { trace: 't', source: 'client', keys: [] };
const accepted = Promise.resolve<Verdict>({
  accepted: true,
  message: '',
  outcome: 'accepted',
});

const hidable = (entry: ReturnType<typeof unsignedEntry>) => ({
  id: entry.id,
  kind: entry.kind,
  entry: () => entry,
});

function pendingWith(...entries: ReturnType<typeof unsignedEntry>[]) {
  const pending = new Pending(1e9);
  for (const entry of entries) {
    pending.begin(entry, origin, accepted, 0);
    pending.markDurable(entry.id);
  }
  return pending;
}

describe('Pending', () => {
  it('shows an event only once it is durable', () => {
    const pending = new Pending(1e9);
    const entry = unsignedEntry();
    pending.begin(entry, origin, accepted, 0);
    expect(pending.query({}, 10)).toEqual([]);
    pending.markDurable(entry.id);
    expect(pending.query({}, 10)).toEqual([entry]);
  });

  it('shows of two versions the newer one', () => {
    const older = unsignedEntry({ kind: 0, created_at: 1 });
    const newer = unsignedEntry({ kind: 0, created_at: 2 });
    expect(pendingWith(newer, older).query({}, 10)).toEqual([newer]);
  });

  it('hides a stored version behind a newer pending one, also from a filter that misses it', () => {
    const stored = unsignedEntry({ kind: 0, created_at: 1, tags: [['t', 'x']] });
    const newer = unsignedEntry({ kind: 0, created_at: 2 });
    expect(pendingWith(newer).view().hides(hidable(stored))).toBe(true);
  });

  it('judges by what was pending when the question was asked', () => {
    const stored = unsignedEntry({ kind: 0, created_at: 1 });
    const newer = unsignedEntry({ kind: 0, created_at: 2 });
    const pending = pendingWith(newer);
    const during = pending.view();
    pending.settle(newer.id);
    const after = pending.view();
    expect(during.hides(hidable(stored))).toBe(true);
    expect(after.hides(hidable(stored))).toBe(false);
    // What became pending after the question is no answer to it, and hides nothing of it.
    const newest = unsignedEntry({ kind: 0, created_at: 3 });
    pending.begin(newest, origin, accepted, 0);
    pending.markDurable(newest.id);
    expect(after.hides(hidable(stored))).toBe(false);
    expect(pending.view().hides(hidable(stored))).toBe(true);
  });

  it('deletes by id and by address what the same author wrote, and nothing else', () => {
    const own = unsignedEntry({ created_at: 1 });
    const foreign = unsignedEntry({ created_at: 1, author: 2 });
    const article = unsignedEntry({ kind: 30_023, created_at: 5, tags: [['d', 'x']] });
    const later = unsignedEntry({ kind: 30_023, created_at: 11, tags: [['d', 'x']] });
    const deletion = unsignedEntry({
      kind: 5,
      created_at: 10,
      tags: [
        ['e', own.id],
        ['e', foreign.id],
        ['a', article.address ?? ''],
      ],
    });
    const pending = pendingWith(deletion);
    expect(pending.hides(own)).toBe(true);
    expect(pending.hides(foreign)).toBe(false);
    expect(pending.hides(article)).toBe(true);
    expect(pending.hides(later)).toBe(false);
    expect(pending.view().hides(hidable(own))).toBe(true);
    expect(pending.view().hides(hidable(foreign))).toBe(false);
  });

  it('lets no deletion request delete another', () => {
    const first = unsignedEntry({ kind: 5, created_at: 1 });
    const second = unsignedEntry({ kind: 5, created_at: 2, tags: [['e', first.id]] });
    expect(pendingWith(first, second).query({ kinds: [5] }, 10)).toEqual([second, first]);
  });

  it('is full when its bytes are used up, and has room again when events are settled', () => {
    const pending = new Pending(1_000);
    const entry = unsignedEntry({ content: 'x'.repeat(1_000) });
    expect(pending.full).toBe(false);
    pending.begin(entry, origin, accepted, 0);
    expect(pending.full).toBe(true);
    pending.settle(entry.id);
    expect(pending.full).toBe(false);
    expect(pending.bytes).toBe(0);
  });

  it('asks again for an overdue outcome, each time after twice the wait', () => {
    const entry = unsignedEntry();
    const pending = pendingWith(entry);
    expect(pending.overdue(9_999)).toEqual([]);
    expect(pending.overdue(10_000).map((overdue) => overdue.entry)).toEqual([entry]);
    expect(pending.overdue(29_999)).toEqual([]);
    expect(pending.overdue(30_000)).toHaveLength(1);
  });
});
