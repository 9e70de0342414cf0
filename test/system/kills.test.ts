import type { NostrEvent } from '../../functions/nostr/event.ts';
import { EVERYTHING, killAtRandom } from '../support/chaos.ts';
import { expectNewestServed, expectServed } from '../support/expect-served.ts';
import { Life } from '../support/life.ts';
import { EventStream } from '../support/stream.ts';
import { useSystem } from '../support/system.ts';

/** A handful by default, 50 when the whole is to be shown. */
const KILLS = Number(process.env['KILLS'] ?? 5);
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const TARGETS = ['store', 'postgres', 'relay-0', 'pubsub', EVERYTHING];
const RECOVERY_MS = 30_000;
/** How many of the newest events are looked at after each kill. */
const NEWEST = 300;

describe(`kill -9 at random moments of an import (SEED=${SEED} KILLS=${KILLS})`, () => {
  const system = useSystem({ relays: 2 });

  it(
    'loses no event that had got OK true, on any instance',
    async () => {
      const [url = '', other = ''] = system().urls;
      const accepted = new Map<string, NostrEvent>();
      const life = new Life(SEED, accepted);
      const stream = new EventStream({ url, source: () => life.next(), accepted, perSecond: 300 });
      await killAtRandom(system(), {
        seed: SEED,
        kills: KILLS,
        targets: TARGETS,
        pauseMsMax: 3_000,
        after: async () => {
          // Not only in the end: what was accepted up to the kill is back soon after it.
          const before = [...accepted.keys()].slice(-NEWEST);
          await system().ready(RECOVERY_MS);
          await expectNewestServed(url, accepted, before, RECOVERY_MS);
        },
      });
      await stream.stop();
      expect(accepted.size).toBeGreaterThan(KILLS * 50);
      await expectServed(url, accepted.values(), RECOVERY_MS);
      await expectServed(other, accepted.values(), RECOVERY_MS);
    },
    60_000 + KILLS * 20_000,
  );
});
