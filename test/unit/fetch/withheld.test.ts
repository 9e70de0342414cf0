import type { NostrEvent } from '../../../functions/nostr/event.ts';
import { speakNegentropy } from '../../support/scripted-negentropy.ts';
import type { ScriptedRelay } from '../../support/scripted-relay.ts';
import { startScriptedUpstream, type UpstreamManners } from '../../support/scripted-upstream.ts';
import { unsigned } from '../../support/unsigned.ts';
import { Visiting } from '../../support/visiting.ts';

const NOW = Math.floor(Date.now() / 1_000);

const notesFrom = (kind: number, newest: number, count: number): NostrEvent[] =>
  Array.from({ length: count }, (_, n) => unsigned({ kind, created_at: newest - n }));

const open: ScriptedRelay[] = [];
afterEach(async () => {
  for (const relay of open.splice(0)) await relay.close();
});

async function visiting(manners: UpstreamManners): Promise<Visiting> {
  const relay = await startScriptedUpstream(manners);
  open.push(relay);
  return new Visiting(relay);
}

const asked = (upstream: Visiting): number => upstream.relay.said('REQ').length;

describe('a relay that announces by NIP-77 what it does not give', () => {
  /** Wraps that only their readers get, between notes for everybody. */
  const withheldOf = (count: number) => {
    const notes = [...notesFrom(1, NOW - 1_000, 300), ...notesFrom(1, NOW - 50_000, 300)];
    const wraps = notesFrom(1_059, NOW - 2_000, count);
    return { notes, wraps, speak: speakNegentropy([...notes, ...wraps]) };
  };

  it.each([1_000, 2_000, 5_000])('is fetched by pages at once: %i events', async (count) => {
    const { notes, speak } = withheldOf(count);
    const upstream = await visiting({ events: notes, onOther: speak });
    const report = await upstream.visit({
      source: { nip77: true },
      limits: { requestsMax: 1_000 },
    });
    expect(report).toMatchObject({ finished: true, fresh: 600, failure: undefined });
    expect(report.withheld).toBeGreaterThan(0);
    expect([...upstream.ranges.values()].flat()).toMatchObject([{ since: 0 }]);
    expect(asked(upstream)).toBeLessThan(100);
  });

  it('is fetched by pages also in a visit of few requests', async () => {
    const { notes, speak } = withheldOf(5_000);
    const upstream = await visiting({ events: notes, onOther: speak });
    const limits = { requestsMax: 20 };
    let visits = 0;
    for (let finished = false; !finished; visits += 1) {
      expect(visits).toBeLessThan(5);
      ({ finished } = await upstream.visit({ source: { nip77: true }, limits }));
    }
    expect(upstream.stored.size).toBe(600);
  });
});

describe('a relay that takes few ids at a time and does not say so', () => {
  const events = notesFrom(1, NOW - 1_000, 3_000);

  it.each([150, 20, 3])('is fetched whole by NIP-77: %i ids', async (idsMax) => {
    const upstream = await visiting({
      events: [],
      onOther: speakNegentropy(events),
      onReq({ filter, give }) {
        const ids = new Set(filter.ids?.slice(0, idsMax));
        give(events.filter(({ id }) => ids.has(id)));
        return true;
      },
    });
    const report = await upstream.visit({ source: { nip77: true } });
    expect(report).toMatchObject({ finished: true, fresh: 3_000, withheld: 0 });
  });
});
