import type { StoredMeta } from '../../../functions/cloud/envelope.ts';
import { eventText, type NostrEvent } from '../../../functions/nostr/event.ts';
import type { Filter } from '../../../functions/nostr/filter.ts';
import { AnswerTooLarge } from '../../../functions/relay/answer-bytes.ts';
import type { Subscriber } from '../../../functions/relay/engine-types.ts';
import { instanceWith } from '../../support/instance.ts';
import { countOf, meanOf } from '../../support/metrics.ts';
import { unsigned } from '../../support/unsigned.ts';
import { until } from '../../support/until.ts';

type Opened = Awaited<ReturnType<typeof instanceWith>>;

/** Asks and waits for EOSE or CLOSED; gives the words of the latter. */
function ask({ subscriptions }: Opened, filter: Filter, more: Partial<Subscriber> = {}) {
  return new Promise<string>((resolve) => {
    subscriptions.open([filter], {
      event: () => undefined,
      eose: () => resolve('EOSE'),
      closed: resolve,
      ...more,
    });
  });
}

const row = (event: NostrEvent) => ({
  id: event.id,
  createdAt: event.created_at,
  kind: event.kind,
  text: eventText(event),
});

describe('metrics of queries', () => {
  it('tell an answer from memory by its shape, time and rows', async () => {
    const stored = [unsigned({ content: 'a' }), unsigned({ content: 'b' })];
    const instance = await instanceWith({ stored });
    const before = countOf(instance.metrics, 'query_rows', { answered_by: 'memory' }) ?? 0;
    await ask(instance, { kinds: [1], since: 1 });
    const of = { shape: 'kinds', answered_by: 'memory' };
    expect(countOf(instance.metrics, 'query_duration', of)).toBe(1);
    expect(countOf(instance.metrics, 'query_rows', { answered_by: 'memory' })).toBe(before + 1);
    expect(meanOf(instance.metrics, 'query_rows', { answered_by: 'memory' })).toBe(
      2 / (before + 1),
    );
    const asked = { answered_by: 'database' };
    expect(countOf(instance.metrics, 'query_rows', asked)).toBeUndefined();
  });

  it('tell an answer that needed the database, with the time from REQ to EOSE', async () => {
    const event = unsigned();
    const instance: Opened = await instanceWith({
      windowEventsMax: 0,
      queryStored: async ({ ids }) => {
        if (ids === undefined) return [];
        instance.clock.nowMs += 40;
        return [row(event)];
      },
    });
    await ask(instance, { ids: [event.id] });
    const of = { shape: 'ids', answered_by: 'database' };
    expect(countOf(instance.metrics, 'query_duration', of)).toBe(1);
    expect(meanOf(instance.metrics, 'query_duration', of)).toBe(40);
  });

  it.each([
    ['database', () => Promise.reject(new Error('away'))],
    ['too-large', () => Promise.reject(new AnswerTooLarge('error: too large'))],
    ['timeout', () => new Promise<never>(() => undefined)],
  ] as const)('count one that failed: %s', async (reason, queryStored) => {
    const given = { windowEventsMax: 0, queryStored, queryDeadlineMs: 20 };
    const instance = await instanceWith(given);
    expect(await ask(instance, { ids: ['f'.repeat(64)] })).toMatch(/^error: /);
    expect(countOf(instance.metrics, 'query_failures_total', { reason })).toBe(1);
  });

  it('count one whose client takes no more of it as slow, and not as answered', async () => {
    const instance = await instanceWith({ stored: [unsigned(), unsigned({ content: 'b' })] });
    const { metrics, subscriptions } = instance;
    const before = countOf(metrics, 'query_rows', { answered_by: 'memory' });
    const handle = subscriptions.open([{ kinds: [1], since: 1 }], {
      event: () => handle.close(),
      eose: () => undefined,
      closed: () => undefined,
    });
    await until(() => countOf(metrics, 'query_failures_total', { reason: 'slow' }) === 1, {
      what: 'a query that failed',
    });
    expect(countOf(metrics, 'query_rows', { answered_by: 'memory' })).toBe(before);
  });

  it('count nothing of one that its client closed', async () => {
    const { promise, resolve } = Promise.withResolvers<[]>();
    const given = { windowEventsMax: 0, queryStored: () => promise };
    const { subscriptions, metrics } = await instanceWith(given);
    const silent = { event: () => undefined, eose: () => undefined, closed: () => undefined };
    const handle = subscriptions.open([{ ids: ['f'.repeat(64)] }], silent);
    await new Promise(setImmediate);
    handle.close();
    resolve([]);
    await new Promise(setImmediate);
    const of = { shape: 'ids', answered_by: 'database' };
    expect(countOf(metrics, 'query_duration', of)).toBeUndefined();
    expect(countOf(metrics, 'query_failures_total', { reason: 'database' })).toBe(0);
  });

  it('say how many subscriptions are open', async () => {
    const instance = await instanceWith();
    await ask(instance, { kinds: [1] });
    expect(countOf(instance.metrics, 'subscriptions')).toBe(2);
  });
});

describe('metrics of the window and of what is pending', () => {
  it('say how many events the window holds, and whether it may answer alone', async () => {
    const { metrics, window } = await instanceWith({ stored: [unsigned()] });
    expect(countOf(metrics, 'window_events')).toBe(1);
    expect(countOf(metrics, 'window_complete')).toBe(1);
    window.markGap();
    expect(countOf(metrics, 'window_complete')).toBe(0);
  });

  it('say nothing of the completeness of a window that is off', async () => {
    const { metrics } = await instanceWith({ windowEventsMax: 0 });
    expect(countOf(metrics, 'window_complete')).toBeUndefined();
    expect(countOf(metrics, 'window_events')).toBe(0);
  });

  it('say how much waits for its outcome, and how long the oldest has waited', async () => {
    const { metrics, take, published, clock, follower } = await instanceWith();
    const event = unsigned();
    const taken = take(event);
    published[0]?.settle();
    await taken;
    clock.nowMs += 2_500;
    expect(countOf(metrics, 'pending_events')).toBe(1);
    expect(countOf(metrics, 'pending_bytes')).toBeGreaterThan(0);
    expect(countOf(metrics, 'pending_age')).toBe(2.5);
    const change = { transaction: 5, seq: 1, removed: [] };
    follower.heard({ id: event.id, outcome: 'stored', acceptedAt: 0, trace: '', change }, 'x');
    expect(countOf(metrics, 'pending_events')).toBe(0);
    expect(countOf(metrics, 'pending_bytes')).toBe(0);
    expect(countOf(metrics, 'pending_age')).toBe(0);
  });
});

describe('metrics of live delivery', () => {
  const stored = (event: NostrEvent, acceptedAt: number): StoredMeta => {
    const change = { transaction: 5, seq: 1, removed: [] };
    return { id: event.id, outcome: 'stored', acceptedAt, trace: 't', change };
  };

  it('measure from acceptance to fan-out on the instance that took the event', async () => {
    const { take, published, clock, metrics, follower } = await instanceWith();
    const event = unsigned();
    const taken = take(event);
    clock.nowMs += 30;
    published[0]?.settle();
    await taken;
    expect(meanOf(metrics, 'delivery_delay', { lane: 'own' })).toBe(30);
    follower.heard(stored(event, 1_000), eventText(event));
    expect(countOf(metrics, 'delivery_delay', { lane: 'fast' })).toBeUndefined();
    expect(countOf(metrics, 'deliveries_total')).toBe(1);
  });

  it('measure what came by the fast lane from another instance', async () => {
    const { clock, metrics, follower } = await instanceWith();
    const event = unsigned();
    clock.nowMs = 5_200;
    follower.heard(stored(event, 5_000), eventText(event));
    expect(meanOf(metrics, 'delivery_delay', { lane: 'fast' })).toBe(200);
  });

  it('measure ephemeral events, which are in no log', async () => {
    const { clock, metrics, follower } = await instanceWith();
    const event = unsigned({ kind: 20_001 });
    clock.nowMs = 5_050;
    const meta = { id: event.id, outcome: 'ephemeral', acceptedAt: 5_000, trace: 't' } as const;
    follower.heard(meta, eventText(event));
    expect(meanOf(metrics, 'delivery_delay', { lane: 'fast' })).toBe(50);
  });

  it('measure what only the changes log told of, by when it was seen first', async () => {
    const event = unsigned();
    const change = {
      type: 'added',
      id: event.id,
      seq: 1,
      transaction: 1,
      createdAt: event.created_at,
      text: eventText(event),
      seenAt: 400,
    } as const;
    const { metrics, follower, changes } = await instanceWith();
    changes.push(change);
    await follower.catchUp();
    expect(meanOf(metrics, 'delivery_delay', { lane: 'log' })).toBe(600);
  });

  it('count an event once for each subscription that it is handed to', async () => {
    const instance = await instanceWith();
    await ask(instance, { kinds: [1], limit: 0 });
    await ask(instance, { kinds: [7], limit: 0 });
    instance.follower.heard(stored(unsigned(), 1_000), eventText(unsigned()));
    expect(countOf(instance.metrics, 'deliveries_total')).toBe(2);
  });
});
