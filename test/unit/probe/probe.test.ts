import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { Registry } from '../../../functions/cloud/metrics/registry.ts';
import type { NostrEvent } from '../../../functions/nostr/event.ts';
import { Probe } from '../../../functions/probe/probe.ts';
import type { RelayInformation } from '../../../functions/upstream/information.ts';
import type { WalkReport } from '../../../functions/upstream/walk.ts';
import { PROBE_TOPIC, probeEvents } from '../../../functions/upstream/walk-events.ts';

const KEY = generateSecretKey();
const WELL: WalkReport = { times: { open: 12.4, live: 5, write: 30, read: 8, delete: 40 } };
const BROKEN: WalkReport = { times: { open: 12 }, failure: { step: 'write', reason: 'no OK' } };
const log = {
  debug: () => undefined,
  info: () => undefined,
  warning: () => undefined,
  error: () => undefined,
  fault: () => undefined,
  child: () => log,
};

const REFUSED: WalkReport = {
  times: { open: 12 },
  failure: { step: 'live', reason: 'kind 20001 was refused: restricted: no events for now' },
};

function setUp(
  reports: readonly WalkReport[],
  announce = false,
  reachable = true,
  information: RelayInformation = {},
) {
  const left = [...reports];
  const published: NostrEvent[] = [];
  const told: string[] = [];
  const state = { nowMs: 1_800_000_000_000 };
  const metrics = new Registry('probe');
  const probe = new Probe(
    {
      events: () => probeEvents(KEY, state.nowMs, 'nonce'),
      walk: async () => left.shift() ?? WELL,
      information: async () => ({ supportedNips: [1, 77], authRequired: false, ...information }),
      async publish(event) {
        published.push(event);
        return true;
      },
      tell: async (message) => {
        told.push(message);
        return reachable;
      },
      nowMs: () => state.nowMs,
      metrics,
      log,
    },
    { address: 'wss://relay.example/', key: KEY, attemptsMax: 2, announce },
  );
  const value = (name: string, labels: object = {}) =>
    metrics.snapshot().find((series) => series.name === name && matches(series.labels, labels))
      ?.value;
  return { probe, published, told, state, value };
}

const matches = (labels: Readonly<Record<string, string>>, wanted: object): boolean =>
  Object.entries(wanted).every(([label, text]) => labels[label] === text);

describe('a probe', () => {
  it('measures each step when all is well', async () => {
    const { probe, told, value } = setUp([WELL]);
    expect(await probe.run()).toEqual({ ...WELL, attempts: 1 });
    expect(value('probe_success')).toBe(1);
    expect(value('probe_duration', { step: 'write' })).toMatchObject({ count: 1, mean: 30 });
    expect(value('success_total')).toBe(1);
    expect(told).toEqual([]);
  });

  it('takes a refusal for well where the relay says that its budget closes it to events', async () => {
    const { probe, told, value } = setUp([REFUSED], false, true, { readOnlyByBudget: true });
    expect(await probe.run()).toEqual({ times: { open: 12 }, attempts: 1 });
    expect([value('probe_success'), told]).toEqual([1, []]);
  });

  it('takes the same refusal for a failure where it says no such thing', async () => {
    const { probe, value } = setUp([REFUSED, REFUSED]);
    expect(await probe.run()).toMatchObject({ failure: REFUSED.failure });
    expect(value('probe_success')).toBe(0);
  });

  it('takes any other failure for one, whatever the budget', async () => {
    const { probe, value } = setUp([BROKEN, BROKEN], false, true, { readOnlyByBudget: true });
    expect(await probe.run()).toMatchObject({ failure: BROKEN.failure });
    expect(value('probe_success')).toBe(0);
  });

  it('believes in a failure only after its attempts', async () => {
    const { probe, told, value } = setUp([BROKEN, WELL]);
    expect(await probe.run()).toEqual({ ...WELL, attempts: 2 });
    expect(value('probe_success')).toBe(1);
    expect(told).toEqual([]);
  });

  it('counts a failure by the step that failed, and tells the operator', async () => {
    const { probe, told, value } = setUp([BROKEN, BROKEN]);
    expect(await probe.run()).toEqual({ ...BROKEN, attempts: 2 });
    expect(value('probe_success')).toBe(0);
    expect(value('fail_total', { reason: 'write' })).toBe(1);
    expect(told).toEqual(['wss://relay.example/ fails at step "write" after 2 attempts: no OK']);
  });

  it('tells of an outage once an hour, and of its end', async () => {
    const broken = Array.from({ length: 8 }, () => BROKEN);
    const { probe, told, state } = setUp(broken);
    for (const minutes of [0, 5, 54, 2, 1]) {
      state.nowMs += minutes * 60_000;
      await probe.run();
    }
    expect(told).toEqual([
      expect.stringContaining('fails'),
      expect.stringContaining('fails'),
      'wss://relay.example/ answers again.',
    ]);
  });

  it('tells again at the next time where nobody could be told', async () => {
    const broken = Array.from({ length: 4 }, () => BROKEN);
    const { probe, told, state } = setUp(broken, false, false);
    for (let n = 0; n < 2; n += 1) {
      state.nowMs += 60_000;
      await probe.run();
    }
    expect(told).toHaveLength(2);
  });

  it('announces what it measured as NIP-66 has it, where that is wanted', async () => {
    const { probe, published } = setUp([WELL], true);
    await probe.run();
    expect(published).toMatchObject([
      {
        kind: 30_166,
        pubkey: getPublicKey(KEY),
        tags: [
          ['d', 'wss://relay.example/'],
          ['n', 'clearnet'],
          ['rtt-open', '12'],
          ['rtt-read', '8'],
          ['rtt-write', '30'],
          ['N', '1'],
          ['N', '77'],
          ['R', '!auth'],
        ],
      },
    ]);
  });

  it('shares no address with a probe of the same second, of which a relay would keep one only', () => {
    const names = ['a1b2', 'c3d4'].map((nonce) => {
      const { live, stored } = probeEvents(KEY, 1_800_000_000_000, nonce);
      return [...live.slice(1), ...stored.slice(1)].map(
        ({ kind, tags }) => `${kind} ${tags.find(([name]) => name === 'd')?.[1]}`,
      );
    });
    expect(new Set(names.flat()).size).toBe(4);
  });

  it('marks all that it publishes, and lets it end by itself', () => {
    const { live, stored, deletion } = probeEvents(KEY, 1_800_000_000_000, 'n');
    for (const { tags } of [...live, ...stored, deletion]) {
      expect(tags).toContainEqual(['t', PROBE_TOPIC]);
      expect(tags).toContainEqual(['expiration', '1800003600']);
    }
    for (const { id } of [...live.slice(1), ...stored]) {
      expect(deletion.tags).toContainEqual(['e', id]);
    }
  });
});
