import { setTimeout as pause } from 'node:timers/promises';
import { generateSecretKey } from 'nostr-tools/pure';
import { connect } from '../../../functions/upstream/connection.ts';
import { walk } from '../../../functions/upstream/walk.ts';
import { type ProbeEvents, probeEvents } from '../../../functions/upstream/walk-events.ts';
import type { ScriptedClient, ScriptedRelay } from '../../support/scripted-relay.ts';
import { startSmallRelay } from '../../support/small-relay.ts';

const TIMEOUT_MS = 300;
const events = probeEvents(generateSecretKey(), Date.now(), 'nonce');

/** What a broken relay does with a message; true where that is all. */
type Fault = (message: readonly unknown[], client: ScriptedClient) => boolean;

const eventOf = ([verb, event]: readonly unknown[]): { id: string; kind: number } | undefined =>
  verb === 'EVENT' ? (event as { id: string; kind: number }) : undefined;
const asksFor = ([verb, , filter]: readonly unknown[], id: string): boolean =>
  verb === 'REQ' && ((filter as { ids?: string[] }).ids ?? []).includes(id);

let relay: ScriptedRelay | undefined;
afterEach(() => relay?.close());

/** A relay that keeps deletions, and otherwise has the given fault. */
async function walkAt(fault: Fault = () => false, given: ProbeEvents = events) {
  const deleted = new Set<string>();
  relay = await startSmallRelay([], {
    instead(message, client) {
      if (fault(message, client)) return true;
      const event = eventOf(message);
      if (event?.kind === 5) deleted.add(given.regular.id);
      if (!asksFor(message, given.regular.id) || !deleted.has(given.regular.id)) return false;
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
    monotonicMs: () => performance.now(),
    pause,
  });
}

const refuse =
  (kind: number): Fault =>
  (message, client) => {
    const event = eventOf(message);
    if (event?.kind !== kind) return false;
    client.send(['OK', event.id, false, 'blocked: not today']);
    return true;
  };
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
  if (!asksFor(message, events.regular.id)) return false;
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
    ['refuses the ephemeral event', refuse(events.ephemeral.kind), 'live', /refused: blocked/],
    ['does not deliver it live', silentAt(events.ephemeral.kind), 'live', /./],
    ['takes it and delivers nothing', keeps(events.ephemeral.kind), 'live', /did not arrive live/],
    ['refuses the regular event', refuse(events.regular.kind), 'write', /refused: blocked/],
    ['never answers it', silentAt(events.regular.kind), 'write', /OK within/],
    ['does not find it again', forgets, 'read', /not found/],
    ['refuses the deletion', refuse(5), 'delete', /refused: blocked/],
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

  it('ends where no relay is', async () => {
    const report = await walk(events, TIMEOUT_MS, {
      connect: () => connect('ws://127.0.0.1:1'),
      monotonicMs: () => performance.now(),
      pause,
    });
    expect(report).toMatchObject({ times: {}, failure: { step: 'open' } });
  });
});
