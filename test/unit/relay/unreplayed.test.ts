import { eventText, type NostrEvent } from '../../../functions/nostr/event.ts';
import type { FollowerSink } from '../../../functions/relay/follower.ts';
import { Unreplayed } from '../../../functions/relay/unreplayed.ts';
import { unsigned } from '../../support/unsigned.ts';

const START = 10;

/** With a clock and a follower that the test plays. */
async function unreplayedOf(limits: { lagMs?: number; bytesMax?: number } = {}) {
  const clock = { nowMs: 0 };
  const told: string[] = [];
  const passing: (() => void)[] = [];
  const tell =
    (what: string) =>
    (...given: unknown[]) => {
      told.push([what, ...given].join(' '));
    };
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
      isPending: (id) => id === 'ours',
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

  it('is in doubt while an own event was refused and the log has not told why', async () => {
    const { unreplayed, passing, told } = await unreplayedOf();
    unreplayed.decided('of others', 'superseded');
    unreplayed.decided('ours', 'duplicate');
    expect(unreplayed.floor).toBe(START);
    unreplayed.decided('ours', 'superseded');
    expect(unreplayed.floor).toBe(Number.POSITIVE_INFINITY);
    for (const work of passing) work();
    expect(unreplayed.floor).toBe(START);
    expect(told.filter((line) => line.startsWith('decided'))).toHaveLength(3);
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
