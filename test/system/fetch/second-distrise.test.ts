import type { NostrEvent } from '../../../functions/nostr/event.ts';
import { difference, type Fetching, idsOf, openFetching } from '../../support/fetching.ts';
import { signedEvent } from '../../support/signed-events.ts';
import { EventStream } from '../../support/stream.ts';
import { useSystem } from '../../support/system.ts';
import { until } from '../../support/until.ts';

/** Some by default, 100000 when the whole is to be shown. */
const EVENTS = Number(process.env['EVENTS'] ?? 10_000);
const NEW = EVENTS / 100;
const LOST = (EVENTS * 8) / 1_000;
const START = 1_700_000_000;

const eventAt = (n: number): NostrEvent =>
  signedEvent({
    key: n % 97,
    created_at: START + 3 * n,
    content: `${n} ${'some more words '.repeat(20)}`,
    tags: [['t', `topic${n % 13}`]],
  });

describe(`a second Distrise as upstream, ${EVENTS} events`, () => {
  const ours = useSystem({
    env: { FETCH_ALLOW_LOOPBACK: 'on', FETCH_COVERAGE_HOURS: '0', FETCH_OVERLAP_SECONDS: '0' },
  });
  const theirs = useSystem();
  const events: NostrEvent[] = [];
  let fetching: Fetching;
  let url = '';

  const publish = async (from: number, to: number): Promise<void> => {
    const fresh = Array.from({ length: to - from }, (_, n) => eventAt(from + n));
    events.push(...fresh);
    const source = fresh.values();
    const stream = new EventStream({ url, source: () => source.next().value, inFlight: 128 });
    await stream.done;
    expect(stream.refused.size).toBe(0);
  };
  const bytes = async (): Promise<number> => (await fetching.counts()).bytes;
  const whole = async (): Promise<void> => {
    await fetching.fetchAll({ timeoutMs: 300_000 });
    const found = await fetching.storedIds();
    expect(difference(idsOf(events), found)).toEqual({ missing: [], extra: [] });
  };
  /** As after weeks: everything is compared anew. */
  const forgetRanges = () => fetching.pool.query('delete from fetch_ranges');

  beforeAll(async () => {
    url = theirs().urls[0] ?? '';
    fetching = openFetching(ours());
    await publish(0, EVENTS);
    await fetching.add([url]);
  }, 300_000);
  afterAll(() => fetching.close());

  it('is fetched whole', whole, 320_000);

  it('costs less than a twentieth of paging where one in a hundred is new', async () => {
    const pagingBytes = await bytes();
    await publish(EVENTS, EVENTS + NEW);
    await forgetRanges();
    await whole();
    const syncBytes = (await bytes()) - pagingBytes;
    process.stdout.write(
      `second Distrise: all by download ${pagingBytes} bytes, ${NEW} new ones by NIP-77 ` +
        `${syncBytes} bytes (${((100 * syncBytes) / pagingBytes).toFixed(2)} %)\n`,
    );
    expect(syncBytes).toBeLessThan(pagingBytes / 20);
  }, 320_000);

  it('is measured: where 0.8 % were lost, coverage is 99.2 %, and the next visit makes it 100 %', async () => {
    const step = Math.floor(EVENTS / LOST);
    const lost = events.slice(0, EVENTS).filter((_, n) => n % step === 0);
    await fetching.lose(lost.slice(0, LOST).map(({ id }) => id));
    await fetching.measure(url);
    const [first] = await fetching.coverage(url);
    expect(first).toMatchObject({ theirs: EVENTS + NEW, held: EVENTS + NEW - LOST });
    expect(first!.method).toBe('negentropy');
    expect(first!.held / first!.theirs).toBeCloseTo(0.992, 3);
    await whole();
    await until(
      async () => {
        await fetching.measure(url);
        const [newest] = await fetching.coverage(url);
        return newest !== undefined && newest.held === newest.theirs;
      },
      { what: 'coverage of 100 %', timeoutMs: 30_000 },
    );
  }, 320_000);
});
