import type { NostrEvent } from '../../../functions/nostr/event.ts';
import { realTexts } from '../../support/corpus.ts';
import { difference, type Fetching, idsOf, openFetching } from '../../support/fetching.ts';
import { type ForeignRelay, startForeignRelay } from '../../support/foreign-relay.ts';
import { randomOf } from '../../support/random.ts';
import { remaining } from '../../support/slow-oracle.ts';
import { useSystem } from '../../support/system.ts';
import { until } from '../../support/until.ts';

/** A few by default, 20 when the whole is to be shown. */
const KILLS = Number(process.env['KILLS'] ?? 4);
const SEED = Number(process.env['SEED'] ?? 1);
const now = Math.floor(Date.now() / 1_000);

describe(`real events on three relays that overlap (SEED=${SEED} KILLS=${KILLS})`, () => {
  const system = useSystem({
    env: { FETCH_ALLOW_LOOPBACK: 'on', FETCH_PIECE_SECONDS: '20', FETCH_COVERAGE_HOURS: '0' },
  });
  const events = realTexts().map((text) => JSON.parse(text) as NostrEvent);
  /** Work for a hundred requests and more; yet more than any one second has. */
  const PAGE = Math.ceil(events.length / 80);
  let relays: ForeignRelay[] = [];
  let fetching: Fetching;

  beforeAll(async () => {
    const random = randomOf(SEED);
    const shares: NostrEvent[][] = [[], [], []];
    for (const event of events) {
      // Each is on one relay at least, and half of them on a second one.
      const first = random.below(3);
      shares[first]?.push(event);
      if (random.below(2) === 0) shares[(first + 1) % 3]?.push(event);
    }
    relays = await Promise.all(shares.map((share) => startForeignRelay(share, { limitMax: PAGE })));
    fetching = openFetching(system());
    await fetching.add(relays.map(({ url }) => url));
  });
  afterAll(async () => {
    await fetching.close();
    await Promise.all(relays.map((relay) => relay.close()));
  });

  const asked = () => relays.reduce((sum, relay) => sum + relay.requests(), 0);
  const wanted = idsOf(remaining(events.filter(({ created_at }) => created_at <= now)));
  const expectWhole = async (): Promise<void> => {
    await fetching.fetchAll();
    expect(difference(wanted, await fetching.storedIds())).toEqual({ missing: [], extra: [] });
  };
  /** There is less work than kills: everything is lost, and fetched once more. */
  const beginAnew = async (): Promise<void> => {
    await fetching.lose([...wanted]);
    await fetching.pool.query('delete from fetch_ranges');
  };

  it(
    'are all ours after the scheduled visits, although the fetcher is killed on the way',
    async () => {
      const random = randomOf(SEED + 1);
      let met = 0;
      for (let tries = 0; met < KILLS && tries < 3 * KILLS; tries += 1) {
        await until(() => fetching.visit().then(() => true), {
          what: 'the fetcher to answer',
          timeoutMs: 30_000,
        });
        // At a random moment of its work, counted in requests, so that no clock decides.
        const moment = asked() + 1 + random.below(40);
        const isAtWork = await until(() => asked() >= moment, {
          what: 'a moment to kill the fetcher',
          timeoutMs: 5_000,
        }).catch(() => false);
        if (isAtWork === false) {
          await expectWhole();
          await beginAnew();
          continue;
        }
        system().kill('fetch');
        // What was at work leaves its lease behind, and nobody has to wait for that to run out.
        if ((await fetching.forgetLeases()) > 0) met += 1;
      }
      expect(met).toBe(KILLS);
      await expectWhole();
      const { requests, bytes, newEvents } = await fetching.counts();
      expect(newEvents).toBeGreaterThan(0);
      process.stdout.write(
        `union: ${events.length} events, ${requests} requests, ${bytes} bytes noted, ` +
          `${(requests / newEvents).toFixed(3)} requests and ${Math.round(bytes / newEvents)} bytes a new event\n`,
      );
    },
    120_000 + KILLS * 30_000,
  );

  it('asks for little where nothing is new', async () => {
    const before = asked();
    await fetching.fetchAll();
    // Of each relay its newest minutes, perhaps by a few visits.
    expect(asked() - before).toBeLessThan(30);
  });
});
