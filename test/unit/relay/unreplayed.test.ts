import { eventText, type NostrEvent } from '../../../functions/nostr/event.ts';
import { entryOf } from '../../../functions/relay/entry.ts';
import type { FollowerSink } from '../../../functions/relay/follower.ts';
import { Unreplayed } from '../../../functions/relay/unreplayed.ts';
import { unsigned } from '../../support/unsigned.ts';

const START = 10;

/** With a clock and a follower that the test plays. */
async function unreplayedOf(
  limits: { lagMs?: number; bytesMax?: number } = {},
  own: readonly NostrEvent[] = [],
) {
  const clock = { nowMs: 0 };
  const told: string[] = [];
  const passing: (() => void)[] = [];
  const tell =
    (what: string) =>
    (...given: unknown[]) => {
      told.push([what, ...given].join(' '));
    };
  const entries = new Map(own.map((event) => [event.id, entryOf(event, eventText(event))]));
  const sink: FollowerSink = {
    added: tell('added'),
    held: tell('held'),
    removed: tell('removed'),
    dropped: tell('dropped'),
    decided: tell('decided'),
    ephemeral: tell('ephemeral'),
    gap: tell('gap'),
    caughtUp: tell('caught up'),
    missed: tell('missed'),
    load: async () => START,
  };
  const unreplayed = new Unreplayed(
    {
      sink,
      pendingEntry: (id) => entries.get(id),
      whenPassed: (work) => passing.push(work),
      monotonicMs: () => clock.nowMs,
    },
    { lagMs: limits.lagMs ?? 1_000, bytesMax: limits.bytesMax ?? 1e6 },
  );
  await unreplayed.load();
  unreplayed.caughtUp();
  const add = (event: NostrEvent, transaction: number) =>
    unreplayed.added(event.id, eventText(event), 'fast', 0, transaction);
  const idsAt = (position: number) => unreplayed.query({}, 10, position).map(({ id }) => id);
  return { unreplayed, clock, told, passing, add, idsAt };
}

const rowOf = ({ id, kind, created_at: createdAt }: NostrEvent) => ({ id, kind, createdAt });

const stored = (event: NostrEvent) => ({ ...rowOf(event), text: eventText(event) });

/** Of one address, oldest first. */
const versions = [1, 2, 3].map((n) => unsigned({ kind: 0, created_at: n })) as [
  NostrEvent,
  NostrEvent,
  NostrEvent,
];

describe('what a replica may not have replayed', () => {
  it('is of no use before the log has been read, and after a break until it has', async () => {
    const { unreplayed } = await unreplayedOf();
    expect(unreplayed.floor).toBe(START);
    unreplayed.gap();
    expect(unreplayed.floor).toBe(Number.POSITIVE_INFINITY);
    unreplayed.caughtUp();
    expect(unreplayed.floor).toBe(START);
  });

  it('counts for a snapshot before its transaction, and no more for one after it', async () => {
    const { unreplayed, add, idsAt } = await unreplayedOf();
    const event = unsigned();
    add(event, 20);
    expect([idsAt(20), idsAt(21)]).toEqual([[event.id], []]);
    unreplayed.removed(event.id, 30);
    const replaced = [30, 31].map((position) => unreplayed.replaces(rowOf(event), position));
    expect(replaced).toEqual([true, false]);
    expect(idsAt(30)).toEqual([]);
  });

  it('is forgotten after the allowance, and no snapshot before it is of use then', async () => {
    const { unreplayed, clock, add } = await unreplayedOf({ lagMs: 1_000 });
    add(unsigned(), 20);
    clock.nowMs = 600;
    add(unsigned({ content: 'b' }), 15);
    clock.nowMs = 1_000;
    expect(unreplayed.floor).toBe(START);
    clock.nowMs = 1_001;
    expect(unreplayed.floor).toBe(21);
    clock.nowMs = 5_000;
    expect([unreplayed.floor, unreplayed.bytes]).toEqual([21, 0]);
  });

  it('is forgotten oldest first where there is no room', async () => {
    const { unreplayed, add } = await unreplayedOf({ bytesMax: 10_000 });
    for (let n = 0; n < 50; n += 1) add(unsigned({ content: `${n}` }), 20 + n);
    expect(unreplayed.bytes).toBeLessThanOrEqual(10_000);
    expect(unreplayed.floor).toBeGreaterThan(50);
    expect(unreplayed.floor).toBeLessThan(70);
  });

  it('covers a range that retention took, its regular events only, until it is forgotten', async () => {
    const { unreplayed, clock, add, idsAt } = await unreplayedOf();
    const [note, profile] = [unsigned({ created_at: 5 }), unsigned({ kind: 0, created_at: 5 })];
    add(note, 19);
    unreplayed.dropped(0, 9, undefined, 20);
    expect(unreplayed.replaces(rowOf(unsigned({ created_at: 9 })), 20)).toBe(true);
    expect(unreplayed.replaces(rowOf(unsigned({ created_at: 10 })), 20)).toBe(false);
    expect(unreplayed.replaces(rowOf(profile), 20)).toBe(false);
    expect(idsAt(15)).toEqual([]);
    clock.nowMs = 1_001;
    expect(unreplayed.floor).toBe(21);
    expect(unreplayed.replaces(rowOf(note), 20)).toBe(false);
  });

  it('is in doubt where an own event was refused, until the log has told why', async () => {
    const [older, own, newer] = versions;
    const { unreplayed, passing, told } = await unreplayedOf({}, [own]);
    const doubts = (found: readonly NostrEvent[]) => unreplayed.doubts({}, found.map(stored), 10);
    unreplayed.decided(newer.id, 'superseded');
    unreplayed.decided(own.id, 'duplicate');
    expect([doubts([older]), doubts([])]).toEqual([false, false]);
    unreplayed.decided(own.id, 'superseded');
    expect([doubts([older]), doubts([]), doubts([newer])]).toEqual([true, true, false]);
    expect(unreplayed.floor).toBe(START);
    for (const work of passing) work();
    expect([doubts([older]), doubts([])]).toEqual([false, false]);
    expect(told.filter((line) => line.startsWith('decided'))).toHaveLength(3);
  });

  it('is in no doubt by that for other filters, other authors and events below the limit', async () => {
    const [, own] = versions;
    const { unreplayed } = await unreplayedOf({}, [own]);
    unreplayed.decided(own.id, 'superseded');
    const [note, later] = [unsigned(), unsigned({ created_at: own.created_at + 60 })];
    const kinds = (...wanted: number[]) => ({ kinds: wanted });
    expect(unreplayed.doubts(kinds(1), [note].map(stored), 10)).toBe(false);
    expect(unreplayed.doubts(kinds(0, 1), [later].map(stored), 2)).toBe(true);
    expect(unreplayed.doubts(kinds(0, 1), [later].map(stored), 1)).toBe(false);
    expect(unreplayed.doubts({ authors: ['f'.repeat(64)] }, [], 10)).toBe(false);
  });

  it('is in doubt where a refused deletion names a row, and by no other refused event', async () => {
    const [target, other] = [unsigned(), unsigned({ content: 'b' })];
    const deletion = unsigned({ kind: 5, tags: [['e', target.id]] });
    const { unreplayed } = await unreplayedOf({}, [deletion, other]);
    unreplayed.decided(other.id, 'deleted');
    expect(unreplayed.doubts({}, [stored(target)], 10)).toBe(false);
    unreplayed.decided(deletion.id, 'refused');
    expect(unreplayed.doubts({}, [stored(target)], 10)).toBe(true);
    expect(unreplayed.doubts({}, [stored(other)], 10)).toBe(false);
  });

  it('is passed on as it was told', async () => {
    const { unreplayed, told } = await unreplayedOf();
    const event = unsigned();
    const text = eventText(event);
    unreplayed.added(event.id, text, 'log', 7, 20);
    unreplayed.held(event.id, text, 20);
    unreplayed.removed(event.id, 21);
    unreplayed.dropped(0, 9, 1, 22);
    unreplayed.ephemeral(event.id, text, 8);
    unreplayed.missed();
    expect(told).toEqual([
      'caught up',
      `added ${event.id} ${text} log 7 20`,
      `held ${event.id} ${text} 20`,
      `removed ${event.id} 21`,
      'dropped 0 9 1 22',
      `ephemeral ${event.id} ${text} 8`,
      'missed',
    ]);
  });
});
