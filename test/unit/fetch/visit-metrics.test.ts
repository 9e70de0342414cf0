import { Registry } from '../../../functions/cloud/metrics/registry.ts';
import type { Source } from '../../../functions/database/sources.ts';
import { type FollowPorts, follow } from '../../../functions/fetch/follow.ts';
import { FetchMeter } from '../../../functions/fetch/meter.ts';
import { type PiecePorts, runPiece } from '../../../functions/fetch/piece.ts';
import type { NostrEvent } from '../../../functions/nostr/event.ts';
import { PASSED } from '../../../functions/policy/write-policy.ts';
import type { Connection } from '../../../functions/upstream/connection.ts';
import { UpstreamFailure } from '../../../functions/upstream/failure.ts';
import { quietJourney } from '../../support/journey.ts';
import { countOf } from '../../support/metrics.ts';
import { silentLog } from '../../support/pubsub.ts';
import { unsigned } from '../../support/unsigned.ts';

const source = {
  id: 1,
  url: 'wss://relay.example/',
  state: 'active',
  direction: 'down',
  filters: [{}],
  limits: {},
  auth: false,
  counts: { events: 0 },
  standing: { newPerRequest: 0, uptime: 1, failuresInRow: 0 },
} as unknown as Source;

const common = (metrics: Registry) => ({
  known: async () => new Set<string>(),
  publish: async () => '1',
  policy: () => PASSED,
  nowMs: Date.now,
  chance: () => 0.5,
  meter: new FetchMeter(metrics),
  journey: quietJourney,
  log: silentLog,
});

describe('the report of a visit', () => {
  const limits = {
    pieceMs: 1_000,
    eventsMax: 100,
    bytesMax: 1e6,
    requestsMax: 10,
    overlapSeconds: 0,
    sinceSeconds: 0,
  };
  const visit = (connect: PiecePorts['connect']) => {
    const ports = {
      ...common(new Registry('fetch')),
      information: async () => undefined,
      connect,
      record: async () => ({ seen: 0, invalid: 0 }),
      quarantine: async () => undefined,
    } as unknown as PiecePorts;
    return runPiece(source, ports, { ...limits, pieceMs: 50 }, new AbortController().signal);
  };

  it('names what the relay failed by', async () => {
    const failure = new UpstreamFailure('unreachable', 'nobody there');
    expect(await visit(() => Promise.reject(failure))).toMatchObject({
      failure: 'nobody there',
      failureCode: 'unreachable',
    });
  });

  it('names want of time where the visit was ended by it', async () => {
    const connect: PiecePorts['connect'] = (_, signal) =>
      new Promise((__, reject) => {
        const closed = new UpstreamFailure('closed', 'the signal came');
        signal.addEventListener('abort', () => reject(closed));
      });
    expect(await visit(connect)).toMatchObject({ failureCode: 'timeout' });
  });
});

describe('metrics of following', () => {
  it('count events, bytes and what is no event, before the connection ends', async () => {
    const metrics = new Registry('fetch');
    const stop = new AbortController();
    const given: NostrEvent = unsigned();
    const connection = {
      bytesReceived: 0,
      async *subscribe() {
        connection.bytesReceived += 300;
        yield { type: 'event', event: given };
        await new Promise(setImmediate);
        expect(countOf(metrics, 'fetch_bytes_total')).toBe(300);
        connection.bytesReceived += 20;
        yield { type: 'closed', message: 'error: enough' };
      },
      close: async () => undefined,
    };
    const ports: FollowPorts = {
      ...common(metrics),
      list: async () => [source],
      async connect(_, __, onFault) {
        onFault?.({ reason: 'id is wrong' } as Parameters<typeof onFault>[0]);
        return connection as unknown as Connection;
      },
      async pause(ms) {
        // The list is read again each minute; a broken connection is tried again before that.
        if (ms < 60_000) stop.abort();
        await new Promise(setImmediate);
      },
    };
    await follow(ports, { sourcesMax: 1, overlapSeconds: 0, refreshMs: 60_000 }, stop.signal);
    expect(countOf(metrics, 'fetched_events_total', { result: 'new' })).toBe(1);
    expect(countOf(metrics, 'fetched_events_total', { result: 'invalid' })).toBe(1);
    expect(countOf(metrics, 'fetch_bytes_total')).toBe(320);
  });
});
