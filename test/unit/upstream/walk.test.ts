import { setTimeout as pause } from 'node:timers/promises';
import { generateSecretKey } from 'nostr-tools/pure';
import type { NostrEvent } from '../../../functions/nostr/event.ts';
import { connect } from '../../../functions/upstream/connection.ts';
import { walk } from '../../../functions/upstream/walk.ts';
import { type ProbeEvents, probeEvents } from '../../../functions/upstream/walk-events.ts';
import type { ScriptedClient, ScriptedRelay } from '../../support/scripted-relay.ts';
import { startSmallRelay } from '../../support/small-relay.ts';

const TIMEOUT_MS = 1_000;
const events = probeEvents(generateSecretKey(), Date.now(), 'nonce');
const [ephemeral, liveSpare] = events.live;
const [regular, spare] = events.stored;

/** What a broken relay does with a message; true where that is all. */
type Fault = (message: readonly unknown[], client: ScriptedClient) => boolean;

const eventOf = ([verb, event]: readonly unknown[]): { id: string; kind: number } | undefined =>
  verb === 'EVENT' ? (event as { id: string; kind: number }) : undefined;
const asksFor = ([verb, , filter]: readonly unknown[], id: string): boolean =>
  verb === 'REQ' && ((filter as { ids?: string[] }).ids ?? []).includes(id);

let relay: ScriptedRelay | undefined;
afterEach(() => relay?.close());

/** A relay that keeps deletions, and otherwise has the given fault. */
async function walkAt(fault: Fault = () => false, given: ProbeEvents = events, restricted = false) {
  const deleted = new Set<string>();
  relay = await startSmallRelay([], {
    instead(message, client) {
      if (fault(message, client)) return true;
      const event = eventOf(message);
      if (event?.kind === 5) for (const { id } of given.stored) deleted.add(id);
      if (![...deleted].some((id) => asksFor(message, id))) return false;
      client.send(['EOSE', message[1]]);
      return true;
    },
  });
  const { url } = relay;
  const limits = {
    handshakeTimeoutMs: TIMEOUT_MS,
    publishTimeoutMs: TIMEOUT_MS,
    quietTimeoutMs: TIMEOUT_MS,
  };
  return walk(given, TIMEOUT_MS, {
    connect: () => connect(url, { limits }),
    saysRestricted: async () => restricted,
    monotonicMs: () => performance.now(),
    pause,
  });
}

const refuse =
  (kinds: readonly number[], why = 'blocked: not today'): Fault =>
  (message, client) => {
    const event = eventOf(message);
    if (event === undefined || !kinds.includes(event.kind)) return false;
    client.send(['OK', event.id, false, why]);
    return true;
  };
const ALL = [ephemeral.kind, regular.kind, spare?.kind ?? 0, 5];
const silentAt =
  (kind: number): Fault =>
  (message) =>
    eventOf(message)?.kind === kind;
/** Takes an event and shows it to nobody. */
const keeps =
  (kind: number): Fault =>
  (message, client) => {
    const event = eventOf(message);
    if (event?.kind !== kind) return false;
    client.send(['OK', event.id, true, '']);
    return true;
  };
const forgets: Fault = (message, client) => {
  if (!asksFor(message, regular.id)) return false;
  client.send(['EOSE', message[1]]);
  return true;
};

describe('the walk of a probe', () => {
  it('times every step at a relay that is well', async () => {
    const report = await walkAt();
    expect(report.failure).toBeUndefined();
    expect(Object.keys(report.times)).toEqual(['open', 'live', 'write', 'read', 'delete']);
  });

  it.each<[string, Fault, string, RegExp]>([
    ['refuses all events by a rule that it does not name', refuse(ALL), 'live', /refused: blocked/],
    ['does not deliver it live', silentAt(ephemeral.kind), 'live', /./],
    ['takes it and delivers nothing', keeps(ephemeral.kind), 'live', /did not arrive live/],
    ['refuses the regular event', refuse([regular.kind], 'error: no'), 'write', /refused: error/],
    ['never answers it', silentAt(regular.kind), 'write', /OK within/],
    ['does not find it again', forgets, 'read', /not found/],
    ['refuses the deletion', refuse([5]), 'delete', /refused: blocked/],
  ])('ends at a relay that %s', async (_, fault, step, reason) => {
    const { failure, times } = await walkAt(fault);
    expect(failure).toEqual({ step, reason: expect.stringMatching(reason) });
    expect(times).not.toHaveProperty(step);
  });

  it('deletes what it published although it could not be read', async () => {
    const { failure } = await walkAt(forgets);
    expect(failure?.step).toBe('read');
    expect(relay?.said('EVENT').map(([, event]) => (event as { kind: number }).kind)).toContain(5);
  });

  it('ends at a relay that still shows what was deleted', async () => {
    const { failure } = await walkAt((message, client) => {
      const event = eventOf(message);
      if (event?.kind !== 5) return false;
      client.send(['OK', event.id, true, '']);
      return true;
    });
    expect(failure).toEqual({ step: 'delete', reason: 'the deleted event is still there' });
  });

  it('publishes what the rules of the relay let through', async () => {
    const report = await walkAt(refuse([ephemeral.kind, regular.kind]));
    expect(report.failure).toBeUndefined();
    expect(Object.keys(report.times)).toEqual(['open', 'live', 'write', 'read', 'delete']);
    const taken = relay?.said('EVENT').map(([, event]) => (event as NostrEvent).id) ?? [];
    expect(taken).toEqual(
      [ephemeral, liveSpare, regular, spare, events.deletion].map((event) => event?.id),
    );
  });

  it('leaves out what a relay with rules refuses, where it says that it has them', async () => {
    const report = await walkAt(refuse(ALL, 'restricted: only members'), events, true);
    expect(report.failure).toBeUndefined();
    expect(Object.keys(report.times)).toEqual(['open']);
    expect(report.untried).toEqual({
      steps: ['live', 'write', 'read', 'delete'],
      reason: expect.stringContaining('restricted: only members'),
    });
  });

  it('leaves out the deletion alone where the rules refuse no more than that', async () => {
    const report = await walkAt(refuse([5]), events, true);
    expect(report.failure).toBeUndefined();
    expect(report.untried?.steps).toEqual(['delete']);
  });

  it('takes no other refusal for a rule, whatever the relay says of itself', async () => {
    const { failure } = await walkAt(refuse(ALL, 'error: try later'), events, true);
    expect(failure?.step).toBe('live');
  });

  it('ends where no relay is', async () => {
    const report = await walk(events, TIMEOUT_MS, {
      connect: () => connect('ws://127.0.0.1:1'),
      monotonicMs: () => performance.now(),
      pause,
    });
    expect(report).toMatchObject({ times: {}, failure: { step: 'open' } });
  });
});
