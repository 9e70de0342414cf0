import type { NostrEvent } from '../../../functions/nostr/event.ts';
import { difference, type Fetching, idsOf, openFetching } from '../../support/fetching.ts';
import { type ForeignRelay, startForeignRelay } from '../../support/foreign-relay.ts';
import { signedEvent } from '../../support/signed-events.ts';
import { useSystem } from '../../support/system.ts';

const START = 1_700_000_000;
const HOUR = 3_600;
/** So many that the sampled windows overlap and see all of them. */
const FEW = 1_000;
/** So many that the samples see a part. */
const MANY = 10_000;

const eventsOf = (count: number, key: number): NostrEvent[] =>
  Array.from({ length: count }, (_, n) =>
    signedEvent({ key, created_at: START + HOUR * n, content: `${n}` }),
  );
/** 0.8 %, here and there. */
const isLost = (n: number): boolean => n % 125 === 60;

describe('the coverage of a relay of others, without NIP-77', () => {
  const system = useSystem({
    env: { FETCH_ALLOW_LOOPBACK: 'on', FETCH_COVERAGE_HOURS: '0', FETCH_OVERLAP_SECONDS: '0' },
  });
  let fetching: Fetching;
  const relays: ForeignRelay[] = [];

  beforeAll(() => {
    fetching = openFetching(system());
  });
  afterAll(async () => {
    await fetching.close();
    await Promise.all(relays.map((relay) => relay.close()));
  });

  const fetched = async (events: readonly NostrEvent[]): Promise<string> => {
    const relay = await startForeignRelay(events);
    relays.push(relay);
    await fetching.add([relay.url], { authors: [events[0]!.pubkey] });
    await fetching.fetchAll();
    return relay.url;
  };
  const missing = async (events: readonly NostrEvent[]) =>
    difference(idsOf(events), await fetching.storedIds()).missing;
  const measured = async (url: string) => {
    await fetching.measure(url);
    const [newest] = await fetching.coverage(url);
    process.stdout.write(`${newest!.method}: ${newest!.held} of ${newest!.theirs} held\n`);
    return { ...newest!, share: newest!.held / newest!.theirs };
  };

  it('is 99.2 % where 0.8 % were lost, and the next visit makes it 100 %', async () => {
    const events = eventsOf(FEW, 1);
    const url = await fetched(events);
    expect(await missing(events)).toEqual([]);
    const lost = events.filter((_, n) => isLost(n));
    await fetching.lose(lost.map(({ id }) => id));
    expect(lost).toHaveLength(0.008 * FEW);
    const first = await measured(url);
    expect(first.method).toBe('sampled');
    expect(first.theirs - first.held).toBe(lost.length);
    expect(first.share).toBeCloseTo(0.992, 3);
    await fetching.fetchAll();
    expect(await missing(events)).toEqual([]);
    expect(await measured(url)).toMatchObject({ share: 1 });
  }, 60_000);

  it('is estimated of a large one, and what was lost here and there is fetched again all the same', async () => {
    const events = eventsOf(MANY, 2);
    const url = await fetched(events);
    await fetching.lose(events.filter((_, n) => isLost(n)).map(({ id }) => id));
    const first = await measured(url);
    expect(first.method).toBe('sampled');
    expect(first.theirs).toBeLessThan(MANY / 2);
    expect(Math.abs(first.share - 0.992)).toBeLessThan(0.004);
    await fetching.fetchAll();
    expect(await missing(events)).toEqual([]);
    expect(await measured(url)).toMatchObject({ share: 1 });
  }, 120_000);
});
