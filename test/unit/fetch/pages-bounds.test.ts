import { fetchPages } from '../../../functions/fetch/pages.ts';
import type { NostrEvent } from '../../../functions/nostr/event.ts';
import { connect } from '../../../functions/upstream/connection.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { AMPLE, fetchFrom } from '../../support/piece-of-work.ts';
import {
  startScriptedUpstream,
  type UpstreamManners,
  type UpstreamRequest,
} from '../../support/scripted-upstream.ts';
import { unsigned } from '../../support/unsigned.ts';
import { until } from '../../support/until.ts';

const spread = (count: number, bytes = 0): NostrEvent[] =>
  Array.from({ length: count }, (_, n) =>
    unsigned({ created_at: n + 1, content: `${n}${'x'.repeat(bytes)}` }),
  );

const EVERYTHING = [{ since: 0, until: 1_000 }];

/** A clock that goes on by itself, as fast as it is waited for. */
class HastyClock extends ManualClock {
  override after(delayMs: number, run: () => void): () => void {
    const cancel = super.after(delayMs, run);
    // The pauses of a second and more are those of the fetcher; a connection's are minutes here.
    if (delayMs < 20_000) setImmediate(() => this.advance(delayMs));
    return cancel;
  }
}

const patient = {
  handshakeTimeoutMs: 1e9,
  quietTimeoutMs: 1e9,
  idleTimeoutMs: 1e9,
  pingIntervalMs: 1e9,
};

/** Turns away each REQ that the list says; the last word holds for all that follow. */
const turningAway = (refuse: (request: UpstreamRequest) => void, times: number) => {
  let refused = 0;
  const onReq: UpstreamManners['onReq'] = (request) => {
    if (refused >= times) return false;
    refused += 1;
    refuse(request);
    return true;
  };
  return onReq;
};

describe('the budget of a piece of work', () => {
  it('ends it at its number of requests, and what is whole by then is covered', async () => {
    const budget = { ...AMPLE, requestsMax: 2 };
    const { result, delivered } = await fetchFrom({ events: spread(200) }, { budget });
    expect(result).toMatchObject({ end: 'budget', requests: 2, events: 99 });
    expect(result.covered).toEqual([{ since: 103, until: 1_000 }]);
    expect(delivered).toHaveLength(99);
  });

  it('ends it at the requests that are wanted, but not in the middle of a crowded second', async () => {
    const kinds = [1, 7, 9, 20, 30, 40, 50, 60];
    const crowd = Array.from({ length: 320 }, (_, n) =>
      unsigned({ created_at: 500, kind: kinds[n % kinds.length]!, content: `${n}` }),
    );
    const events = [...crowd, ...spread(400)];
    const budget = { ...AMPLE, requestsWanted: 3 };
    const { result } = await fetchFrom({ events, cap: 50 }, { budget, until: 500 });
    expect(result.end).toBe('budget');
    expect(result.requests).toBeGreaterThan(8);
    expect(result.suspect).toEqual([]);
    expect(result.covered[0]!.since).toBeLessThanOrEqual(500);
    expect(result.covered[0]!.since).toBeGreaterThan(300);
  });

  it('ends it at its number of events', async () => {
    const budget = { ...AMPLE, eventsMax: 60 };
    const { result } = await fetchFrom({ events: spread(200) }, { budget });
    expect(result).toMatchObject({ end: 'budget', events: 99 });
  });

  it('ends it at its bytes, in the middle of a page', async () => {
    const budget = { ...AMPLE, bytesMax: 500_000 };
    const { result } = await fetchFrom({ events: spread(200, 5_000) }, { budget });
    expect(result).toMatchObject({ end: 'budget', covered: [{ since: 152, until: 1_000 }] });
    expect(result.bytes).toBeLessThan(800_000);
  });

  it('ends it at its deadline where the upstream never answers', async () => {
    const clock = new ManualClock();
    const relay = await startScriptedUpstream({ events: [], onReq: () => true });
    const connection = await connect(relay.url, { clock, limits: patient });
    const working = fetchPages(connection, {
      filter: {},
      since: 0,
      until: 1_000,
      pageLimit: 50,
      budget: { ...AMPLE, deadlineMs: 5_000 },
      deliver: () => Promise.resolve(),
      clock,
    });
    await until(() => relay.said('REQ').length === 1, { what: 'the request' });
    clock.advance(5_000);
    await expect(working).resolves.toMatchObject({ end: 'budget', covered: [], requests: 1 });
    // The relay is told, and the connection is still good.
    await until(() => relay.said('CLOSE').length === 1, { what: 'the CLOSE' });
    expect(connection.failure).toBeUndefined();
    await connection.close();
    await relay.close();
  });

  it('ends it at its deadline where the upstream trickles', async () => {
    const clock = new ManualClock();
    const relay = await startScriptedUpstream({
      events: [],
      onReq: ({ client, id }) => {
        client.send(['EVENT', id, unsigned({ created_at: 5 })]);
        return true;
      },
    });
    const connection = await connect(relay.url, { clock, limits: patient, verifier: 'none' });
    const working = fetchPages(connection, {
      filter: {},
      since: 0,
      until: 1_000,
      pageLimit: 50,
      budget: { ...AMPLE, deadlineMs: 5_000 },
      deliver: () => Promise.reject(new Error('nothing is whole')),
      clock,
    });
    await until(() => connection.messageBytesReceived > 0, { what: 'the event' });
    clock.advance(5_000);
    await expect(working).resolves.toMatchObject({ end: 'budget', covered: [], events: 0 });
    await connection.close();
    await relay.close();
  });

  it('ends with the signal, before and in the middle', async () => {
    const aborted = await fetchFrom({ events: spread(9) }, { signal: AbortSignal.abort() });
    expect(aborted.result).toMatchObject({ end: 'budget', requests: 0, covered: [] });
    const controller = new AbortController();
    const onReq: UpstreamManners['onReq'] = ({ number }) => {
      if (number === 2) controller.abort();
      return number === 2;
    };
    const { result } = await fetchFrom(
      { events: spread(200), onReq },
      { signal: controller.signal },
    );
    expect(result).toMatchObject({ end: 'budget', covered: [{ since: 103, until: 1_000 }] });
  });
});

describe('an upstream that wants us slower', () => {
  const closed = ({ client, id }: UpstreamRequest) =>
    client.send(['CLOSED', id, 'rate-limited: slow down']);
  const noticed = ({ client }: UpstreamRequest) =>
    client.send(['NOTICE', 'ERROR: too many concurrent REQs']);
  const broken = ({ client, id }: UpstreamRequest) =>
    client.send(['CLOSED', id, 'error: database is tired']);

  it.each([
    ['CLOSED rate-limited', closed],
    ['a notice', noticed],
    ['CLOSED error', broken],
  ])('by %s is waited for, twice as long each time, and asked again', async (_, refuse) => {
    const clock = new HastyClock();
    const { result } = await fetchFrom(
      { events: spread(20), onReq: turningAway(refuse, 3) },
      { clock, budget: { ...AMPLE, deadlineMs: 60_000 } },
      { limits: patient },
    );
    expect(result).toMatchObject({ end: 'complete', covered: EVERYTHING, slowed: 3, events: 20 });
    // 1 + 2 + 4 seconds.
    expect(clock.nowMs()).toBeGreaterThanOrEqual(7_000);
  });

  it('for ever ends with the budget, not with a failure', async () => {
    const clock = new HastyClock();
    const { result } = await fetchFrom(
      { events: spread(20), onReq: turningAway(closed, Number.POSITIVE_INFINITY) },
      { clock, budget: { ...AMPLE, deadlineMs: 60_000 } },
      { limits: patient },
    );
    expect(result).toMatchObject({ end: 'budget', covered: [], slowed: 6, requests: 6 });
    expect(clock.nowMs()).toBeLessThan(60_000);
  });

  it('with an error for ever has failed', async () => {
    const { result } = await fetchFrom(
      { events: [], onReq: turningAway(broken, Number.POSITIVE_INFINITY) },
      { clock: new HastyClock(), budget: { ...AMPLE, deadlineMs: 60_000 } },
      { limits: patient },
    );
    expect(result).toMatchObject({ end: 'failed', failure: { code: 'refused' }, requests: 4 });
  });

  it('is not waited for on a connection that ends meanwhile', async () => {
    const cut = (request: UpstreamRequest) => {
      closed(request);
      request.client.socket.close(1_000, 'go away');
    };
    const { result } = await fetchFrom({ events: [], onReq: turningAway(cut, 1) });
    expect(result).toMatchObject({ end: 'failed', failure: { code: 'lost' } });
  });
});

describe('an upstream that refuses or breaks off', () => {
  it('ends the work with its words', async () => {
    const onReq: UpstreamManners['onReq'] = ({ client, id }) => {
      client.send(['CLOSED', id, 'restricted: members only']);
      return true;
    };
    const { result } = await fetchFrom({ events: [], onReq });
    expect(result).toMatchObject({ end: 'failed', covered: [], requests: 1 });
    expect(result.failure?.message).toBe('restricted: members only');
  });

  it('in the middle of a page covers the pages before it', async () => {
    const onReq: UpstreamManners['onReq'] = ({ number, client, id, page }) => {
      if (number < 2) return false;
      client.send(['EVENT', id, page[0]]);
      client.cut();
      return true;
    };
    const { result } = await fetchFrom({ events: spread(200), onReq });
    expect(result).toMatchObject({ end: 'failed', failure: { code: 'lost' }, events: 99 });
    expect(result.covered).toEqual([{ since: 103, until: 1_000 }]);
  });

  it('refuses a larger limit by a notice, and loses nothing by it', async () => {
    const crowd = Array.from({ length: 120 }, (_, n) =>
      unsigned({ created_at: 7, content: `${n}`, kind: n % 4 }),
    );
    const onReq: UpstreamManners['onReq'] = ({ filter, client }) => {
      if ((filter.limit ?? 0) <= 50) return false;
      client.send(['NOTICE', 'invalid: limit must be 50 or less']);
      return true;
    };
    const { result } = await fetchFrom(
      { events: crowd, onReq },
      { filter: { kinds: [0, 1, 2, 3] } },
    );
    expect(result).toMatchObject({ end: 'complete', covered: EVERYTHING, events: 120 });
  });
});

describe('an upstream that floods', () => {
  it('with a message above the bound loses the connection and nothing else', async () => {
    const onReq: UpstreamManners['onReq'] = ({ client, id }) => {
      client.send(['EVENT', id, unsigned({ content: 'x'.repeat(10 * 1_048_576) })]);
      return true;
    };
    const { result } = await fetchFrom({ events: [], onReq });
    expect(result).toMatchObject({ end: 'failed', failure: { code: 'lost' }, covered: [] });
  });

  it('with large pages is asked for smaller ones, and then given all', async () => {
    const events = spread(60, 20_000);
    const { result, batches } = await fetchFrom({ events }, { pageBytesMax: 300_000 });
    expect(result).toMatchObject({ end: 'complete', covered: EVERYTHING, events: 60 });
    expect(Math.max(...batches)).toBeLessThanOrEqual(13);
  });

  it('with one event that no page can hold has misbehaved', async () => {
    const { result } = await fetchFrom({ events: spread(3, 20_000) }, { pageBytesMax: 10_000 });
    expect(result).toMatchObject({ end: 'failed', failure: { code: 'misbehaved' } });
  });

  it('without end is given up', async () => {
    const onReq: UpstreamManners['onReq'] = ({ client, id }) => {
      for (let n = 0; n < 5_000; n += 1) {
        client.send(['EVENT', id, unsigned({ created_at: 5, content: String(n) })]);
      }
      return true;
    };
    const { result, delivered } = await fetchFrom({ events: [], onReq });
    expect(result).toMatchObject({ end: 'failed', failure: { code: 'misbehaved' }, covered: [] });
    expect(delivered).toEqual([]);
  });
});
