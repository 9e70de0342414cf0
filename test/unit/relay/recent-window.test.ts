import { RecentWindow } from '../../../functions/relay/recent-window.ts';
import { authorOf, unsignedEntry } from '../../support/unsigned.ts';

const at = (created_at: number, more = {}) => unsignedEntry({ created_at, ...more });
const ids = (entries: readonly { id: string }[] | undefined) => entries?.map(({ id }) => id);

function windowOf(entries: ReturnType<typeof at>[], completeSince: number, eventsMax = 100) {
  const window = new RecentWindow({ eventsMax, bytesMax: 1e9 });
  window.load(entries, completeSince);
  window.markCaughtUp();
  return window;
}

describe('RecentWindow', () => {
  it('answers when the limit is filled, since nothing newer can be missing', () => {
    const entries = [at(10), at(11), at(12)];
    const window = windowOf(entries, 10);
    expect(ids(window.answer({}, 2))).toEqual([entries[2]?.id, entries[1]?.id]);
  });

  it('does not answer when older events may fill the limit', () => {
    expect(windowOf([at(10), at(11)], 10).answer({}, 3)).toBeUndefined();
  });

  it('answers when nothing older than it reaches is asked for', () => {
    const entry = at(11);
    const window = windowOf([at(10), entry], 10);
    expect(ids(window.answer({ since: 11 }, 500))).toEqual([entry.id]);
    expect(window.answer({ since: 9 }, 500)).toBeUndefined();
  });

  it('answers when it holds everything that is stored', () => {
    const entry = at(10);
    expect(ids(windowOf([entry], 0).answer({}, 500))).toEqual([entry.id]);
  });

  it('answers for ids that are all here, and never takes absence for an answer', () => {
    const entry = at(11);
    const window = windowOf([entry], 10);
    expect(ids(window.answer({ ids: [entry.id] }, 500))).toEqual([entry.id]);
    expect(window.answer({ ids: [entry.id, '0'.repeat(64)] }, 500)).toBeUndefined();
  });

  it('answers for the one version of a replaceable event that is here', () => {
    const profile = at(11, { kind: 0, author: 2 });
    const window = windowOf([profile], 10);
    const filter = { authors: [authorOf(2)], kinds: [0] };
    expect(ids(window.answer(filter, 500))).toEqual([profile.id]);
    expect(window.answer({ ...filter, authors: [authorOf(2), authorOf(3)] }, 500)).toBeUndefined();
    expect(window.answer({ ...filter, kinds: [0, 1] }, 500)).toBeUndefined();
  });

  it('answers for an addressable event only when its d value is named', () => {
    const article = at(11, { kind: 30_023, author: 2, tags: [['d', 'x']] });
    const window = windowOf([article], 10);
    const filter = { authors: [authorOf(2)], kinds: [30_023] };
    expect(window.answer(filter, 500)).toBeUndefined();
    const named = { ...filter, tags: new Map([['d', ['x']]]) };
    expect(ids(window.answer(named, 500))).toEqual([article.id]);
  });

  it('gives up the whole second of an evicted event', () => {
    const window = windowOf([at(10, { content: 'a' }), at(10, { content: 'b' }), at(12)], 10, 2);
    expect(window.completeSince).toBe(11);
    expect(window.size).toBe(1);
  });

  it('keeps out what is older than it reaches', () => {
    const window = windowOf([at(12)], 11);
    window.add(at(10));
    expect(window.size).toBe(1);
  });

  it('stays within its bytes', () => {
    const window = new RecentWindow({ eventsMax: 1_000, bytesMax: 20_000 });
    window.load([], 0);
    for (let second = 0; second < 100; second += 1) window.add(at(second));
    expect(window.bytes).toBeLessThanOrEqual(20_000);
    expect(window.size).toBeGreaterThan(3);
  });

  it('answers nothing from a gap until it has caught up', () => {
    const window = windowOf([at(10)], 0);
    window.markGap();
    expect(window.answer({}, 1)).toBeUndefined();
    window.markCaughtUp();
    expect(window.answer({}, 1)).toHaveLength(1);
  });

  it('is off when it may hold nothing', () => {
    const window = windowOf([], 0, 0);
    window.add(at(10));
    expect(window.answer({}, 1)).toBeUndefined();
    expect(window.covers(10)).toBe(false);
  });

  it('drops what retention took, and neither profiles nor deletion requests', () => {
    const kept = [at(5, { kind: 0 }), at(5, { kind: 5 }), at(20), at(5, { kind: 7 })];
    const window = windowOf([...kept, at(5)], 0);
    window.removeRange(0, 10, 1);
    expect(ids(window.answer({}, 5))?.sort()).toEqual(kept.map(({ id }) => id).sort());
  });
});
