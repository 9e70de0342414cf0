import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NostrEvent } from '../../../functions/nostr/event.ts';
import { type Cable, layCable } from '../../support/cable.ts';
import { difference, type Fetching, idsOf, openFetching } from '../../support/fetching.ts';
import { signedEvent } from '../../support/signed-events.ts';
import { type System, startSystem, useSystem } from '../../support/system.ts';
import { publishAll } from '../../support/two-sides.ts';

/** Some by default, 100000 when the whole is to be shown. */
const EVENTS = Number(process.env['EVENTS'] ?? 10_000);
const NEW = EVENTS / 100;
const LOST = (EVENTS * 8) / 1_000;
const START = 1_700_000_000;
const TIMEOUT_MS = 120_000 + 6 * EVENTS;

const eventAt = (n: number): NostrEvent =>
  signedEvent({
    key: n % 97,
    created_at: START + 3 * n,
    content: `${n} ${'some more words '.repeat(20)}`,
    tags: [['t', `topic${n % 13}`]],
  });

/** What one sync cost on the wire, both directions together, and in requests. */
interface Cost {
  readonly bytes: number;
  readonly requests: number;
}

describe(`a second Distrise as upstream, ${EVENTS} events`, () => {
  const ours = useSystem({
    env: { FETCH_ALLOW_LOOPBACK: 'on', FETCH_COVERAGE_HOURS: '0', FETCH_OVERLAP_SECONDS: '0' },
  });
  const events = Array.from({ length: EVENTS }, (_, n) => eventAt(n));
  let data = '';
  let theirs: System | undefined;
  let cable: Cable | undefined;
  let fetching: Fetching;
  let url = '';
  let paging: Cost;

  /** The second one, with or without NIP-77, behind a cable that counts; the only source of ours. */
  const startUpstream = async (negentropy: 'on' | 'off'): Promise<void> => {
    theirs = await startSystem({ data, env: { RELAY_NEGENTROPY: negentropy } });
    cable = await layCable(Number(new URL(theirs.urls[0] ?? '').port));
    url = `ws://127.0.0.1:${cable.port}`;
    await fetching.pool.query("update sources set state = 'paused'");
    await fetching.add([url]);
  };
  const stopUpstream = async (): Promise<void> => {
    await cable?.cut();
    await theirs?.stop();
    theirs = undefined;
  };
  const whole = async (): Promise<void> => {
    await fetching.fetchAll({ timeoutMs: TIMEOUT_MS });
    const found = await fetching.storedIds();
    expect(difference(idsOf(events), found)).toEqual({ missing: [], extra: [] });
  };
  /** Fetches, as after weeks, when all is looked at anew, these events, which are lost first. */
  const sync = async (lost: readonly NostrEvent[]): Promise<Cost> => {
    await fetching.lose(lost.map(({ id }) => id));
    await fetching.pool.query('delete from fetch_ranges');
    const { requests, newEvents } = await fetching.counts();
    const { there, back } = cable!.carried();
    await whole();
    const after = await fetching.counts();
    expect(after.newEvents - newEvents).toBe(lost.length);
    const { there: thereAfter, back: backAfter } = cable!.carried();
    return {
      bytes: thereAfter - there + backAfter - back,
      requests: after.requests - requests,
    };
  };
  const everyHundredth = events.filter((_, n) => n % 100 === 50);
  const speaks = async (): Promise<unknown> => {
    const { rows } = await fetching.pool.query<{ nip77: unknown }>(
      "select nip77 from sources where state = 'active'",
    );
    return rows.map(({ nip77 }) => nip77);
  };

  beforeAll(async () => {
    data = await mkdtemp(join(tmpdir(), 'distrise-second-'));
    fetching = openFetching(ours());
    await startUpstream('off');
    await publishAll(theirs?.urls[0] ?? '', events);
  }, TIMEOUT_MS);
  afterAll(async () => {
    await fetching.close();
    await stopUpstream();
    await rm(data, { recursive: true, force: true });
  }, 60_000);

  it('is fetched whole page by page where it has NIP-77 turned off', whole, TIMEOUT_MS);

  it(
    'costs all its bytes again by paging where one in a hundred is new',
    async () => {
      paging = await sync(everyHundredth);
      // It claims none, so none is tried.
      expect(await speaks()).toEqual([null]);
      expect(paging.requests).toBeGreaterThan(EVENTS / 500);
    },
    TIMEOUT_MS,
  );

  it(
    'costs less than a twentieth of that by NIP-77',
    async () => {
      await stopUpstream();
      await startUpstream('on');
      const spread = await sync(everyHundredth);
      const newest = await sync(events.slice(-NEW));
      expect(await speaks()).toEqual([true]);
      const share = ({ bytes }: Cost) => bytes / paging.bytes;
      const told = (cost: Cost) =>
        `${cost.bytes} bytes (${(100 * share(cost)).toFixed(2)} %), ${cost.requests} requests`;
      process.stdout.write(
        `second Distrise, ${EVENTS} events of which ${NEW} are new: by paging ${paging.bytes} bytes, ` +
          `${paging.requests} requests; by NIP-77 ${told(spread)} where they are spread, ` +
          `${told(newest)} where they are the newest\n`,
      );
      expect(share(spread)).toBeLessThan(0.05);
      expect(share(newest)).toBeLessThan(0.05);
    },
    TIMEOUT_MS,
  );

  it(
    'is measured: where 0.8 % were lost, coverage is 99.2 %, and the next visit makes it 100 %',
    async () => {
      const lost = events.filter((_, n) => n % 125 === 60);
      expect(lost).toHaveLength(LOST);
      await fetching.lose(lost.map(({ id }) => id));
      await fetching.measure(url);
      const [first] = await fetching.coverage(url);
      expect(first).toMatchObject({ theirs: EVENTS, held: EVENTS - LOST, method: 'negentropy' });
      expect(first!.held / first!.theirs).toBe(0.992);
      await whole();
      await fetching.measure(url);
      const [second] = await fetching.coverage(url);
      expect(second).toMatchObject({ theirs: EVENTS, held: EVENTS, method: 'negentropy' });
    },
    TIMEOUT_MS,
  );
});
