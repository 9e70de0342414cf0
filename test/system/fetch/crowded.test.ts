import type { NostrEvent } from '../../../functions/nostr/event.ts';
import { difference, type Fetching, idsOf, openFetching } from '../../support/fetching.ts';
import { type ForeignRelay, startForeignRelay } from '../../support/foreign-relay.ts';
import { signedEvent } from '../../support/signed-events.ts';
import { useSystem } from '../../support/system.ts';

/** Some by default, 100000 when the whole is to be shown. */
const EVENTS = Number(process.env['EVENTS'] ?? 8_000);
const PAGE_LIMIT = 500;
const START = 1_700_000_000;
const TIMEOUT_MS = 30_000 + 10 * EVENTS;

/**
 * A tenth of all events in seconds that hold 600 or more, which is above the page limit, by
 * authors and of kinds that let such a second be divided; the rest spread out.
 */
function crowded(): NostrEvent[] {
  const events: NostrEvent[] = [];
  for (let n = 0; n < EVENTS; n += 1) {
    const inCrowd = n % 10 === 0;
    const created_at = inCrowd ? START + 1_000 * Math.floor(n / 10 / 600) : START + n;
    events.push(
      signedEvent({ key: n % 50, kind: [1, 7, 1_111][n % 3]!, created_at, content: `${n}` }),
    );
  }
  return events;
}

describe(`an upstream of ${EVENTS} events with a page limit of ${PAGE_LIMIT}, many in one second`, () => {
  const system = useSystem({
    env: { FETCH_ALLOW_LOOPBACK: 'on', FETCH_COVERAGE_HOURS: '0', FETCH_PIECE_REQUESTS: '100000' },
  });
  let upstream: ForeignRelay;
  let fetching: Fetching;
  let events: NostrEvent[];

  beforeAll(async () => {
    events = crowded();
    upstream = await startForeignRelay(events, { limitMax: PAGE_LIMIT });
    fetching = openFetching(system());
    await fetching.add([upstream.url]);
  }, 120_000);
  afterAll(async () => {
    await fetching.close();
    await upstream.close();
  });

  it(
    'is fetched complete',
    async () => {
      const began = performance.now();
      await fetching.fetchAll({ timeoutMs: TIMEOUT_MS });
      const seconds = (performance.now() - began) / 1_000;
      const found = await fetching.storedIds();
      expect(difference(idsOf(events), found)).toEqual({ missing: [], extra: [] });
      process.stdout.write(
        `crowded: ${events.length} events, ${upstream.requests()} requests, ` +
          `${upstream.bytes()} bytes, ${seconds.toFixed(1)} s\n`,
      );
    },
    TIMEOUT_MS + 10_000,
  );
});
