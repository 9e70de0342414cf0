import fc from 'fast-check';
import type { NostrEvent } from '../../../functions/nostr/event.ts';
import { secretKeyOf } from '../../support/keys.ts';
import { fetchFrom } from '../../support/piece-of-work.ts';
import type { UpstreamManners } from '../../support/scripted-upstream.ts';
import { signedEvent } from '../../support/signed-events.ts';
import { inOrder } from '../../support/slow-oracle.ts';
import { unsigned } from '../../support/unsigned.ts';

const event = (number: number, created_at: number, kind = 1): NostrEvent =>
  unsigned({ content: `event ${number}`, created_at, kind, author: 1 + (number % 4) });

const AUTHORS = [1, 2, 3, 4].map((author) => unsigned({ author }).pubkey);

/** One event in each second from 1 on. */
const spread = (count: number) => Array.from({ length: count }, (_, n) => event(n, n + 1));
/** All in one second. */
const crowd = (count: number, second: number, kinds = 1) =>
  Array.from({ length: count }, (_, n) => event(n, second, kinds === 1 ? 1 : n % kinds));

const idsOf = (events: readonly NostrEvent[]) => events.map(({ id }) => id).sort();
const EVERYTHING = [{ since: 0, until: 1_000 }];

/** Something that is the same for the same number, and looks like chance. */
const shuffled = (events: readonly NostrEvent[]) =>
  [...events].sort((a, b) => (a.id.slice(5) < b.id.slice(5) ? -1 : 1));

async function expectComplete(
  manners: UpstreamManners,
  options: Parameters<typeof fetchFrom>[1] = {},
) {
  const piece = await fetchFrom(manners, options);
  expect(piece.result).toMatchObject({ end: 'complete', covered: EVERYTHING, suspect: [] });
  expect(idsOf(piece.delivered)).toEqual(idsOf(manners.events));
  expect(piece.result.events).toBe(manners.events.length);
  return piece;
}

describe('fetching all of a range', () => {
  it('gives every event once, in batches no larger than a page, and covers the range', async () => {
    const { batches, result } = await expectComplete({ events: spread(230) });
    expect(Math.max(...batches)).toBeLessThanOrEqual(50);
    expect(result.requests).toBeLessThanOrEqual(7);
    expect(result.bytes).toBeGreaterThan(230 * 300);
  });

  it('takes one request for nothing and two for a little', async () => {
    expect((await expectComplete({ events: [] })).result.requests).toBe(1);
    const some = await expectComplete({ events: spread(3) }, { limitMax: 500 });
    expect(some.result.requests).toBe(2);
    const known = await expectComplete({ events: spread(1) }, { gives: 100 });
    expect(known.result.requests).toBe(2);
  });

  it('keeps to its range', async () => {
    const events = spread(100);
    const { result, delivered } = await fetchFrom({ events }, { since: 20, until: 70 });
    expect(result.covered).toEqual([{ since: 20, until: 70 }]);
    expect(idsOf(delivered)).toEqual(
      idsOf(events.filter(({ created_at: at }) => at >= 20 && at <= 70)),
    );
  });

  it('asks nothing where nothing can match', async () => {
    const nothing = await fetchFrom({ events: spread(9) }, { filter: { kinds: [] } });
    expect(nothing.result).toMatchObject({ end: 'complete', requests: 0, covered: EVERYTHING });
    const backwards = await fetchFrom({ events: spread(9) }, { since: 8, until: 7 });
    expect(backwards.result).toMatchObject({ end: 'complete', requests: 0, covered: [] });
  });

  it('goes on below a page that is shorter than asked, which is no end', async () => {
    const { relay } = await expectComplete({ events: spread(100), cap: 7 }, { capMin: 5 });
    expect(relay.said('REQ').length).toBeGreaterThan(100 / 7);
  });

  it('asks for no more than the upstream says it gives, since some refuse that', async () => {
    const onReq: UpstreamManners['onReq'] = ({ filter, id, client }) => {
      if ((filter.limit ?? 0) <= 10) return false;
      client.send(['CLOSED', id, 'invalid: limit too high']);
      return true;
    };
    await expectComplete({ events: spread(45), cap: 10, onReq }, { limitMax: 10 });
  });

  it('minds no order within a page', async () => {
    const arrange = (matching: readonly NostrEvent[], limit: number) =>
      shuffled(matching.slice(0, limit));
    await expectComplete({ events: spread(300), cap: 40, arrange });
  });

  it('bears with an upstream that gives now more and now less', async () => {
    let turn = 0;
    const arrange = (matching: readonly NostrEvent[], limit: number) => {
      turn += 1;
      return matching.slice(0, Math.min(limit, [40, 9, 23, 6][turn % 4] ?? 0));
    };
    const events = [...crowd(35, 600, 5), ...crowd(60, 300, 7), ...spread(100)];
    const filter = { kinds: [0, 1, 2, 3, 4, 5, 6], authors: AUTHORS };
    await expectComplete({ events, arrange }, { filter, capMin: 5 });
  });

  it('takes whatever the spread over the seconds, the cap and the order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat({ max: 30 }), { maxLength: 150 }),
        fc.integer({ min: 5, max: 50 }),
        fc.integer({ min: 3, max: 60 }),
        fc.boolean(),
        fc.boolean(),
        fc.boolean(),
        fc.constantFrom({}, { kinds: [0, 1, 2, 3, 4, 5, 6] }),
        async (seconds, cap, pageLimit, inDisorder, hints, saysCap, filter) => {
          const events = seconds.map((second, n) => event(n, second, n % 7));
          const { result, delivered } = await fetchFrom(
            {
              events,
              cap,
              hints,
              arrange: (matching, limit) =>
                inDisorder ? shuffled(matching.slice(0, limit)) : matching.slice(0, limit),
            },
            {
              filter,
              pageLimit,
              capMin: 5,
              ...(saysCap && { limitMax: cap }),
            },
          );
          expect(new Set(idsOf(delivered)).size).toBe(delivered.length);
          expect(result.end).toBe('complete');
          const doubted = new Set(result.suspect.map(({ since }) => since));
          const sure = (list: readonly NostrEvent[]) =>
            idsOf(list.filter(({ created_at }) => !doubted.has(created_at)));
          expect(sure(delivered)).toEqual(sure(events));
          // Doubt is allowed only where one kind in one second is as much as an answer.
          for (const second of doubted) {
            const perKind = [0, 1, 2, 3, 4, 5, 6].map(
              (kind) => events.filter((e) => e.created_at === second && e.kind === kind).length,
            );
            expect(Math.max(...perKind)).toBeGreaterThanOrEqual(Math.min(5, pageLimit));
          }
        },
      ),
      { numRuns: 60 },
    );
  }, 60_000);
});

describe('a second with more events than a page', () => {
  it('is taken by a larger limit where the upstream allows it', async () => {
    const events = [...crowd(400, 500), ...spread(60)];
    const { result } = await expectComplete({ events });
    expect(result.requests).toBeLessThan(12);
  });

  it('is taken by kinds and authors where it does not', async () => {
    const events = [...crowd(400, 500, 5), ...spread(60)];
    const kinds = [0, 1, 2, 3, 4];
    await expectComplete({ events, cap: 60 }, { filter: { authors: AUTHORS, kinds } });
    await expectComplete({ events, cap: 100 }, { filter: { kinds } });
  });

  it('is taken by the kinds that it shows where the filter names none', async () => {
    const events = [...crowd(300, 500, 5), ...spread(60)];
    const { result } = await expectComplete({ events, cap: 80 });
    expect(result.requests).toBeLessThan(100);
  });

  it.each(['CLOSED', 'an empty answer'])(
    'is taken with fewer kinds at a time where many get %s',
    async (way) => {
      const events = [...crowd(300, 500, 5), event(1, 500, 40_000), ...spread(60)];
      const onReq: UpstreamManners['onReq'] = ({ filter, id, client, give }) => {
        if ((filter.kinds?.length ?? 0) <= 500) return false;
        if (way === 'CLOSED') client.send(['CLOSED', id, 'invalid: too many kinds']);
        else give([]);
        return true;
      };
      await expectComplete({ events, cap: 80, onReq });
    },
  );

  it('is in doubt where the upstream understands no list of kinds', async () => {
    const events = [...crowd(300, 500, 5), ...spread(60)];
    const onReq: UpstreamManners['onReq'] = ({ filter, give }) => {
      if ((filter.kinds?.length ?? 0) < 2) return false;
      give([]);
      return true;
    };
    const { result } = await fetchFrom({ events, cap: 80, onReq });
    expect(result).toMatchObject({ end: 'complete', suspect: [{ since: 500, until: 500 }] });
  });

  it('is not called covered where nothing can prove it whole', async () => {
    const events = [...crowd(200, 500), ...spread(60)];
    const { result, delivered } = await fetchFrom(
      { events, cap: 60 },
      { filter: { kinds: [1] }, pageLimit: 50 },
    );
    expect(result).toMatchObject({
      end: 'complete',
      suspect: [{ since: 500, until: 500 }],
      covered: [
        { since: 501, until: 1_000 },
        { since: 0, until: 499 },
      ],
    });
    expect(delivered.filter(({ created_at }) => created_at < 500)).toHaveLength(60);
  });
});

describe('what the upstream says of the rest (NIP-67)', () => {
  it('ends the paging at `finish`, without another request', async () => {
    const { result } = await expectComplete({ events: spread(120), hints: true });
    expect(result.requests).toBe(3);
  });

  it('is not believed where it says `more` and gives nothing', async () => {
    const onReq: UpstreamManners['onReq'] = ({ give }) => {
      give([], 'more');
      return true;
    };
    const { result } = await fetchFrom({ events: [], onReq });
    expect(result).toMatchObject({ end: 'failed', covered: [] });
    expect(result.failure?.code).toBe('misbehaved');
  });
});

describe('an upstream that lies', () => {
  it('with EOSE before its events is caught up with by later pages', async () => {
    const events = spread(40);
    const onReq: UpstreamManners['onReq'] = ({ page, give, client, id }) => {
      give(page.slice(0, 10));
      for (const late of page.slice(10)) client.send(['EVENT', id, late]);
      return true;
    };
    await expectComplete({ events, onReq }, { capMin: 5 });
  });

  it('about the newest, giving the oldest first, covers no more than it gave', async () => {
    const events = spread(120);
    const { result } = await fetchFrom({
      events,
      arrange: (matching, limit) => matching.toReversed().slice(0, limit),
    });
    expect(result.end).toBe('complete');
    expect(result.covered).toEqual([{ since: 0, until: 49 }]);
    expect(result.suspect).toEqual([{ since: 50, until: 1_000 }]);
  });

  it('with events that do not match or lie outside the range is not believed them', async () => {
    const events = spread(30);
    const onReq: UpstreamManners['onReq'] = ({ page, give }) => {
      give([event(1, 5_000), ...page, event(2, 3, 7)]);
      return true;
    };
    const { result, delivered } = await fetchFrom({ events, onReq }, { filter: { kinds: [1] } });
    expect(result).toMatchObject({ end: 'complete', covered: EVERYTHING });
    expect(result.unasked).toBe(2 * result.requests);
    expect(idsOf(delivered)).toEqual(idsOf(events));
  });

  it('with too many of those has misbehaved', async () => {
    const strangers = Array.from({ length: 101 }, (_, n) => event(n, 5_000 + n));
    const onReq: UpstreamManners['onReq'] = ({ give }) => {
      give(strangers);
      return true;
    };
    const { result } = await fetchFrom({ events: [], onReq });
    expect(result).toMatchObject({ end: 'failed', unasked: 101, covered: [], events: 0 });
    expect(result.failure?.code).toBe('misbehaved');
  });

  it('with one event many times gives it once', async () => {
    const [one, two] = spread(2) as [NostrEvent, NostrEvent];
    const onReq: UpstreamManners['onReq'] = ({ page, give }) => {
      give(page.length === 2 ? [two, two, one, two, one] : [...page, ...page]);
      return true;
    };
    const { delivered, result } = await fetchFrom({ events: [one, two], onReq });
    expect(result.end).toBe('complete');
    expect(delivered).toEqual([two, one]);
  });

  it('with forged events keeps its genuine ones; with too many it is invalid', async () => {
    const genuine = Array.from({ length: 30 }, (_, n) =>
      signedEvent({ created_at: n + 1, content: String(n) }),
    );
    const forge = (one: NostrEvent) => ({ ...one, content: 'forged' });
    const checked = { verifier: undefined } as never;
    const few = [...genuine.slice(0, 27), ...genuine.slice(27).map(forge)];
    const some = await fetchFrom({ events: few }, {}, checked);
    expect(some.result).toMatchObject({ end: 'complete', covered: EVERYTHING, invalid: 3 });
    expect(idsOf(some.delivered)).toEqual(idsOf(genuine.slice(0, 27)));
    const all = await fetchFrom({ events: genuine.map(forge) }, {}, checked);
    expect(all.result).toMatchObject({ end: 'failed', invalid: 30, events: 0, covered: [] });
    expect(all.result.failure).toMatchObject({ code: 'invalid' });
  });

  it('with a page whose oldest are forged is followed below them', async () => {
    const genuine = Array.from({ length: 60 }, (_, n) =>
      signedEvent({ created_at: n + 1, content: String(n) }),
    );
    const events = genuine.map((one) =>
      one.created_at >= 50 && one.created_at < 55 ? { ...one, content: 'forged' } : one,
    );
    const { delivered, result } = await fetchFrom({ events, cap: 8 }, { capMin: 3 }, {
      verifier: undefined,
    } as never);
    expect(result).toMatchObject({ end: 'complete', covered: EVERYTHING });
    expect(delivered).toHaveLength(55);
  });

  it('about its limit is stopped at it, and not believed where it gives no order', async () => {
    const events = spread(120);
    await expectComplete({ events, arrange: (matching) => matching.slice(0, 60) });
    const { result } = await fetchFrom({ events, arrange: shuffled });
    expect(result).toMatchObject({ end: 'failed', covered: [], failure: { code: 'misbehaved' } });
  });
});

describe('an upstream that asks who we are (NIP-42)', () => {
  const auth = { secretKey: secretKeyOf('fetcher') };
  const manners = (accepts: boolean): UpstreamManners => {
    let known = false;
    return {
      events: spread(20),
      onConnect: (client) => client.send(['AUTH', 'challenge']),
      onReq({ id, client }) {
        if (!known) client.send(['CLOSED', id, 'auth-required: members only']);
        return !known;
      },
      onOther([verb, answer], client) {
        if (verb !== 'AUTH') return;
        known = accepts;
        client.send(['OK', (answer as NostrEvent).id, accepts, accepts ? '' : 'restricted: no']);
      },
    };
  };

  it('is told, once, and gives what it has', async () => {
    const { result, relay } = await fetchFrom(manners(true), {}, { auth });
    expect(result).toMatchObject({ end: 'complete', events: 20 });
    expect(relay.said('AUTH')).toHaveLength(1);
  });

  it('ends the work where there is no key or ours is refused', async () => {
    expect((await fetchFrom(manners(true))).result).toMatchObject({
      end: 'failed',
      failure: { code: 'refused' },
    });
    expect((await fetchFrom(manners(false), {}, { auth })).result.failure?.message).toBe(
      'the relay refused our key: restricted: no',
    );
  });
});

describe('what was not delivered', () => {
  it('is not covered, and the reason is handed back', async () => {
    const reason = new Error('Pub/Sub is away');
    let batches = 0;
    const { result } = await fetchFrom(
      { events: spread(200) },
      {
        async deliver() {
          batches += 1;
          if (batches === 3) throw reason;
        },
      },
    );
    expect(result).toMatchObject({ end: 'failed', covered: [{ since: 103, until: 1_000 }] });
    expect(result.undelivered).toBe(reason);
    expect(result.failure).toBeUndefined();
  });

  it('holds back the next page', async () => {
    let asked = 0;
    const askedAtDelivery: number[] = [];
    await fetchFrom(
      {
        events: inOrder(spread(120)),
        onReq() {
          asked += 1;
          return false;
        },
      },
      {
        async deliver() {
          const before = asked;
          await new Promise((resolve) => setImmediate(resolve));
          askedAtDelivery.push(asked - before);
        },
      },
    );
    expect(askedAtDelivery).toEqual([0, 0, 0]);
  });
});
