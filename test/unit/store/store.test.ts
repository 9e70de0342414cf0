import { encodeLines, FORMAT, type StoredMeta } from '../../../functions/cloud/envelope.ts';
import { openLog } from '../../../functions/cloud/log.ts';
import { Registry } from '../../../functions/cloud/metrics/registry.ts';
import type { Line } from '../../../functions/cloud/publisher.ts';
import type { Seen } from '../../../functions/database/write.ts';
import { eventText, type NostrEvent } from '../../../functions/nostr/event.ts';
import { loadVerifier, type Verifier } from '../../../functions/nostr/verify.ts';
import type { DeadLetter } from '../../../functions/store/dead-letter.ts';
import { StoreMeter } from '../../../functions/store/meter.ts';
import { type StorePorts, storePush } from '../../../functions/store/store.ts';
import { journeyInto } from '../../support/journey.ts';
import { secretKeyOf, signEvent } from '../../support/keys.ts';
import { countOf, meanOf } from '../../support/metrics.ts';

const key = secretKeyOf('store');
const note = (n: number): NostrEvent =>
  signEvent({ kind: 1, created_at: 1_700_000_000 + n, content: `note ${n}` }, key);

const META = { acceptedAt: 1_000, trace: 'of an earlier version', source: 'client', keys: [] };

const lineOf = (event: NostrEvent) => ({ meta: META, text: eventText(event) });

const pushOf = (data: Buffer, attributes: object = { format: FORMAT }) => ({
  message: {
    data: data.toString('base64'),
    attributes,
    messageId: '42',
    publishTime: '2026-01-01T00:00:00Z',
  },
  subscription: 'projects/p/subscriptions/incoming-store',
});

const RAW = Buffer.from('raw body');

let verifier: Verifier;
beforeAll(async () => {
  verifier = await loadVerifier();
});

/** Ports that remember what went through them; every event is stored as change 1, 2, 3 … */
function ports(given: Partial<StorePorts> = {}) {
  const announced: Line[] = [];
  const buried: DeadLetter[] = [];
  const logged: string[] = [];
  const log = openLog(
    { level: 'debug', format: 'json', component: 'store' },
    { write: (line) => void logged.push(line) },
  );
  const metrics = new Registry('store');
  const all: StorePorts = {
    write: async (events) => ({
      transaction: 900,
      outcomes: events.map((_, n) => ({ outcome: 'stored', seq: n + 1, removed: [] })),
    }),
    announce: async (line) => void announced.push(line),
    bury: async (letter) => void buried.push(letter),
    verifier,
    limits: { eventBytesMax: 10_000 },
    nowMs: () => 5_000,
    journey: journeyInto(log, 0),
    log,
    meter: new StoreMeter(metrics),
    ...given,
  };
  const metas = () => announced.map(({ meta }) => meta as StoredMeta);
  return { all, announced, buried, logged, metas, metrics };
}

describe('storePush', () => {
  it('tells the outcome of every event, with the text of the new ones, and acknowledges', async () => {
    const events = [note(1), note(2), note(3), note(4)];
    const { all, announced } = ports({
      write: async () => ({
        transaction: 900,
        outcomes: [
          { outcome: 'stored', seq: 7, removed: [{ id: 'ab', seq: 8 }] },
          { outcome: 'duplicate' },
          { outcome: 'superseded' },
          { outcome: 'deleted' },
        ],
      }),
    });
    const verdict = await storePush(pushOf(encodeLines(events.map(lineOf))), RAW, all);
    expect(verdict).toEqual({
      acknowledge: true,
      counts: { stored: 1, duplicate: 1, superseded: 1, deleted: 1 },
    });
    const [first, ...others] = events;
    const common = (event?: NostrEvent) => ({
      acceptedAt: 1_000,
      trace: event?.id.slice(0, 32),
    });
    expect(announced).toEqual([
      {
        meta: {
          id: first?.id,
          outcome: 'stored',
          ...common(first),
          change: { transaction: 900, seq: 7, removed: [{ id: 'ab', seq: 8 }] },
        },
        text: first && eventText(first),
      },
      { meta: { id: others[0]?.id, outcome: 'duplicate', ...common(others[0]) } },
      { meta: { id: others[1]?.id, outcome: 'superseded', ...common(others[1]) } },
      { meta: { id: others[2]?.id, outcome: 'deleted', ...common(others[2]) } },
    ]);
  });

  it('hands on where an event was first seen, as far as that can be true', async () => {
    const written: (Seen | undefined)[] = [];
    const { all } = ports({
      write: async (events) => {
        written.push(...events.map(({ seen }) => seen));
        return { transaction: 1, outcomes: events.map(() => ({ outcome: 'duplicate' })) };
      },
    });
    const upstream = { ...META, source: 'wss://relay.example/' };
    const ids = [7, undefined, 0, -1, 1.5, 2 ** 31, '7'];
    const lines = ids.map((sourceId, n) => ({
      meta: sourceId === undefined ? META : { ...upstream, sourceId },
      text: eventText(note(n)),
    }));
    const verdict = await storePush(pushOf(encodeLines(lines)), RAW, all);
    expect(verdict.counts).toEqual({ duplicate: ids.length });
    expect(written).toEqual([
      { seenFrom: 7, seenAt: 1_000 },
      ...ids.slice(1).map(() => ({ seenAt: 1_000 })),
    ]);
  });

  it('stores the sound neighbours of bad lines, and acknowledges those too', async () => {
    const forged = { ...note(2), content: 'changed' };
    const ephemeral = signEvent({ kind: 20_001, created_at: 1_700_000_000 }, key);
    const large = signEvent({ kind: 1, created_at: 1, content: 'x'.repeat(10_000) }, key);
    const data = Buffer.concat([
      encodeLines([lineOf(note(1)), lineOf(forged), lineOf(ephemeral), lineOf(large)]),
      Buffer.from('\n{"not":"a line"}\n[{},{"id":"short"}]\n[{}]\n[{"id":\n'),
      encodeLines([lineOf(note(9))]),
    ]);
    const { all, metas, logged, buried } = ports();
    const verdict = await storePush(pushOf(data), RAW, all);
    expect(verdict).toEqual({ acknowledge: true, counts: { stored: 2, refused: 7 } });
    expect(metas().map(({ id, outcome, reason }) => [id, outcome, reason])).toEqual(
      expect.arrayContaining([
        [note(1).id, 'stored', undefined],
        [note(9).id, 'stored', undefined],
        [forged.id, 'refused', 'id or signature is not true'],
        [ephemeral.id, 'refused', 'ephemeral events are not stored'],
        [large.id, 'refused', expect.stringMatching('10000 are allowed')],
      ]),
    );
    expect(metas()).toHaveLength(5);
    expect(buried).toHaveLength(1);
    expect(logged.join()).toContain(forged.id);
  });

  it('keeps a true event that is too large now: it may have had its OK under a larger limit', async () => {
    const large = signEvent({ kind: 1, created_at: 1, content: 'x'.repeat(10_000) }, key);
    const { all, buried, metrics } = ports();
    const verdict = await storePush(pushOf(encodeLines([lineOf(large)])), RAW, all);
    expect(verdict).toEqual({ acknowledge: true, counts: { refused: 1 } });
    expect(buried).toEqual([
      {
        data: encodeLines([{ ...lineOf(large), meta: { ...META, trace: large.id.slice(0, 32) } }]),
        attributes: { format: FORMAT, reason: expect.stringMatching('10000 are allowed') },
      },
    ]);
    expect(countOf(metrics, 'dead_letters_total', { action: 'buried' })).toBe(1);
  });

  it('keeps nothing of what can never be valid, however large', async () => {
    const content = 'x'.repeat(10_000);
    const events = [
      { ...note(1), content },
      signEvent({ kind: 20_001, created_at: 1, content }, key),
      { ...note(3), sig: 'no signature', content },
    ];
    const { all, buried } = ports();
    const verdict = await storePush(pushOf(encodeLines(events.map(lineOf))), RAW, all);
    expect(verdict).toEqual({ acknowledge: true, counts: { refused: 3 } });
    expect(buried).toEqual([]);
  });

  it('never logs what an event says', async () => {
    const secret = 'my-private-words';
    const bad = { ...note(1), content: secret, tags: [[secret]] };
    const { all, logged } = ports({
      write: async () => {
        throw Object.assign(new Error(`Key (${secret}) exists`), { code: '23505', detail: secret });
      },
    });
    const good = signEvent({ kind: 1, created_at: 5, content: secret }, key);
    await storePush(pushOf(encodeLines([lineOf(bad), lineOf(good)])), RAW, all);
    expect(logged.join()).toContain('23505');
    expect(logged.join()).not.toContain(secret);
  });

  it('gives an event without sound company the time of its message', async () => {
    const data = Buffer.from(`["no meta",${eventText(note(1))}]`);
    const { all, metas } = ports();
    expect(await storePush(pushOf(data), RAW, all)).toMatchObject({ acknowledge: true });
    expect(metas()).toMatchObject([
      { outcome: 'stored', acceptedAt: Date.UTC(2026, 0, 1), trace: note(1).id.slice(0, 32) },
    ]);
  });

  it('puts an event that the database refuses among the dead letters, and tells its relay', async () => {
    const poison = note(2);
    const { all, metas, buried } = ports({
      async write(events) {
        if (events.some(({ event }) => event.id === poison.id)) {
          throw Object.assign(new Error('no'), { code: '23505' });
        }
        return {
          transaction: 900,
          outcomes: events.map(() => ({ outcome: 'stored', seq: 1, removed: [] })),
        };
      },
    });
    const events = [note(1), poison, note(3)];
    const verdict = await storePush(pushOf(encodeLines(events.map(lineOf))), RAW, all);
    expect(verdict).toEqual({ acknowledge: true, counts: { stored: 2, poison: 1 } });
    expect(buried).toEqual([
      {
        data: encodeLines([
          { ...lineOf(poison), meta: { ...META, trace: poison.id.slice(0, 32) } },
        ]),
        attributes: { format: FORMAT, reason: expect.any(String), sqlstate: '23505' },
      },
    ]);
    expect(metas().find(({ id }) => id === poison.id)).toMatchObject({ outcome: 'refused' });
  });

  it('asks for the message again when the database does not answer, and says nothing', async () => {
    const { all, announced, buried } = ports({
      write: () => Promise.reject(Object.assign(new Error('no'), { code: '57P01' })),
    });
    const verdict = await storePush(pushOf(encodeLines([lineOf(note(1))])), RAW, all);
    expect(verdict).toEqual({ acknowledge: false, counts: { unavailable: 1 } });
    expect(announced).toEqual([]);
    expect(buried).toEqual([]);
  });

  it.each(['announce', 'bury'] as const)(
    'asks for the message again when %s fails',
    async (port) => {
      const code = port === 'bury' ? '23505' : undefined;
      const { all } = ports({
        [port]: () => Promise.reject(new Error('no Pub/Sub')),
        ...(code && { write: () => Promise.reject(Object.assign(new Error('no'), { code })) }),
      });
      const verdict = await storePush(pushOf(encodeLines([lineOf(note(1))])), RAW, all);
      expect(verdict).toEqual({ acknowledge: false, counts: { unpublished: 1 } });
    },
  );

  it('logs each step of a followed event, and of every one that comes no further', async () => {
    const lines: string[] = [];
    const log = openLog(
      { level: 'info', format: 'json', component: 'store' },
      { write: (line) => void lines.push(line) },
    );
    const data = encodeLines([lineOf(note(1)), lineOf({ ...note(2), content: 'forged' })]);
    const body = { ...pushOf(data), deliveryAttempt: 3 };
    const shown = () =>
      lines
        .splice(0)
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .filter(({ step }) => step !== undefined);
    await storePush(body, RAW, ports({ log, journey: journeyInto(log, 0) }).all);
    const refused = {
      severity: 'WARNING',
      'logging.googleapis.com/trace': note(2).id.slice(0, 32),
      step: 'stored',
      event: note(2).id,
      outcome: 'refused',
      reason: 'id or signature is not true',
      message: 'event stored',
      messageId: '42',
      attempt: 3,
      acceptedAt: 1_000,
      toldAfterMs: 4_000,
    };
    expect(shown()).toMatchObject([refused]);
    await storePush(body, RAW, ports({ log, journey: journeyInto(log, 1) }).all);
    expect(shown()).toMatchObject([
      refused,
      { severity: 'INFO', event: note(1).id, outcome: 'stored', transaction: 900 },
    ]);
  });

  it('names every event of a message that comes again in one line', async () => {
    const { all, logged } = ports({
      write: () => Promise.reject(Object.assign(new Error('no'), { code: '57P01' })),
    });
    const events = Array.from({ length: 30 }, (_, n) => note(n));
    await storePush(pushOf(encodeLines(events.map(lineOf))), RAW, all);
    const lines = logged.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.filter(({ severity }) => severity === 'ERROR')).toMatchObject([
      { message: 'events unavailable', ids: events.map(({ id }) => id) },
    ]);
  });

  it('puts a format that it cannot read among the dead letters as it came', async () => {
    const data = Buffer.from('from the future');
    const { all, buried } = ports();
    const verdict = await storePush(pushOf(data, { format: '999', a: 'b' }), RAW, all);
    expect(verdict).toEqual({ acknowledge: true, counts: { unreadable: 1 } });
    expect(buried).toEqual([
      { data, attributes: { format: '999', a: 'b', reason: 'format 999 is not known here' } },
    ]);
  });

  it('puts a body that is no push among the dead letters', async () => {
    const { all, buried } = ports();
    expect(await storePush({ hello: 1 }, RAW, all)).toMatchObject({ acknowledge: true });
    expect(buried).toEqual([{ data: RAW, attributes: { reason: 'body has no message' } }]);
  });

  it('acknowledges a message that holds nothing', async () => {
    const { all } = ports();
    expect(await storePush(pushOf(Buffer.alloc(0)), RAW, all)).toEqual({
      acknowledge: true,
      counts: {},
    });
  });
});

describe('metrics of store', () => {
  const later = { nowMs: () => 5_000 };
  const poisoned = () => Promise.reject(Object.assign(new Error('no'), { code: '23505' }));
  const away = () => Promise.reject(Object.assign(new Error('no'), { code: '57P01' }));
  const push = (events: readonly NostrEvent[], all: StorePorts, deliveryAttempt?: number) =>
    storePush({ ...pushOf(encodeLines(events.map(lineOf))), deliveryAttempt }, RAW, all);

  it('are there at zero before the first message, as far as alerts are made of them', () => {
    const { metrics } = ports();
    expect(countOf(metrics, 'success_total')).toBe(0);
    for (const reason of ['poison', 'unavailable', 'unpublished']) {
      expect(countOf(metrics, 'fail_total', { reason })).toBe(0);
    }
    expect(countOf(metrics, 'dead_letters_total', { action: 'buried' })).toBe(0);
    expect(countOf(metrics, 'store_delay', { origin: 'client' })).toBe(0);
  });

  it('count events by the class of their kind and by outcome, and a line of nobody too', async () => {
    const { all, metrics } = ports();
    const profile = signEvent({ kind: 0, created_at: 1_700_000_000 }, key);
    const forged = { ...note(2), content: 'changed' };
    await push([note(1), profile, forged], all);
    const events = (kind_class: string, outcome: string) =>
      countOf(metrics, 'events_total', { kind_class, outcome });
    expect(events('regular', 'stored')).toBe(1);
    expect(events('replaceable', 'stored')).toBe(1);
    expect(events('unknown', 'refused')).toBe(1);
    expect(countOf(metrics, 'success_total')).toBe(2);
    expect(countOf(metrics, 'fail_total', { reason: 'refused' })).toBe(1);
  });

  it('measure from acceptance to commit, of clients and of other relays apart', async () => {
    const { all, metrics } = ports(later);
    const meta = { ...META, acceptedAt: 4_000, source: 'wss://relay.example/', sourceId: 7 };
    const lines = [lineOf(note(1)), { meta, text: eventText(note(2)) }];
    await storePush(pushOf(encodeLines(lines)), RAW, all);
    expect(meanOf(metrics, 'store_delay', { origin: 'client' })).toBe(4_000);
    expect(meanOf(metrics, 'store_delay', { origin: 'upstream' })).toBe(1_000);
  });

  it('measure no delay of what was stored before', async () => {
    const write = async () => ({ transaction: 1, outcomes: [{ outcome: 'duplicate' as const }] });
    const { all, metrics } = ports({ write });
    await push([note(1)], all);
    expect(countOf(metrics, 'store_delay', { origin: 'client' })).toBe(0);
    expect(countOf(metrics, 'success_total')).toBe(1);
  });

  it('count push calls, their events and their time', async () => {
    const { all, metrics } = ports();
    await push([note(1), note(2), note(3)], all);
    expect(countOf(metrics, 'process_duration')).toBe(1);
    expect(countOf(metrics, 'message_events')).toBe(1);
    expect(meanOf(metrics, 'message_events')).toBe(3);
  });

  it('count a message that comes again, and not the first delivery', async () => {
    const { all, metrics } = ports();
    await push([note(1)], all, 1);
    expect(countOf(metrics, 'redeliveries_total')).toBe(0);
    await push([note(1)], all, 2);
    expect(countOf(metrics, 'redeliveries_total')).toBe(1);
  });

  it('count what was buried, and only when Pub/Sub has it', async () => {
    const failing = ports({ write: poisoned, bury: () => Promise.reject(new Error('no Pub/Sub')) });
    await push([note(1)], failing.all);
    expect(countOf(failing.metrics, 'dead_letters_total', { action: 'buried' })).toBe(0);
    expect(countOf(failing.metrics, 'fail_total', { reason: 'unpublished' })).toBe(1);
    const { all, metrics } = ports({ write: poisoned });
    await push([note(1)], all);
    expect(countOf(metrics, 'dead_letters_total', { action: 'buried' })).toBe(1);
    expect(countOf(metrics, 'fail_total', { reason: 'poison' })).toBe(1);
  });

  it('count every event that waits for a database that is away', async () => {
    const { all, metrics } = ports({ write: away });
    await push([note(1), note(2)], all);
    expect(countOf(metrics, 'fail_total', { reason: 'unavailable' })).toBe(2);
  });
});
