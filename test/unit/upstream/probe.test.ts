import { createGuard } from '../../../functions/upstream/guard.ts';
import { probe } from '../../../functions/upstream/probe.ts';
import { signedEvent } from '../../support/signed-events.ts';
import { type SmallRelayOptions, startSmallRelay } from '../../support/small-relay.ts';

const OPTIONS = { events: 5, timeoutMs: 5_000, nowMs: () => performance.now() };

const answersNegentropy = (verb: string, words: string): SmallRelayOptions => ({
  instead([said, id], client) {
    if (said === 'NEG-OPEN') client.send([verb, id, words]);
    return String(said).startsWith('NEG-');
  },
});

describe('a probe', () => {
  it('measures opening and reading, and tells what the relay gave', async () => {
    const events = [1, 2, 3].map((n) => signedEvent({ created_at: n }));
    const relay = await startSmallRelay(events, answersNegentropy('NEG-ERR', 'blocked: not now'));
    const report = await probe(new URL(relay.url), OPTIONS);
    await relay.close();
    expect(report).toMatchObject({ events: 3, newestAt: 3, faults: 0, negentropy: true });
    expect(report.failure).toBeUndefined();
    expect(report.informationFailure).toEqual(expect.any(String));
    expect(report.openMs).toBeGreaterThanOrEqual(0);
    expect(report.readMs).toBeGreaterThanOrEqual(0);
    expect(relay.said('REQ')[0]?.[2]).toEqual({ limit: 5 });
  });

  it('counts what the relay must not send', async () => {
    const forged = { ...signedEvent(), content: 'changed' };
    const relay = await startSmallRelay([forged], answersNegentropy('NEG-MSG', 'zz'));
    const report = await probe(new URL(relay.url), OPTIONS);
    await relay.close();
    expect(report).toMatchObject({ events: 0, faults: 1 });
  });

  it('tells why a visit failed, at whichever step', async () => {
    const refusing = await startSmallRelay([], {
      instead([, id], client) {
        client.send(['CLOSED', id, 'auth-required: who are you']);
        return true;
      },
    });
    const report = await probe(new URL(refusing.url), OPTIONS);
    await refusing.close();
    expect(report.failure).toBe('auth-required: who are you');
    expect(report.openMs).toEqual(expect.any(Number));
    const nobody = await probe(new URL('ws://127.0.0.1:1/'), OPTIONS);
    expect(nobody.failure).toMatch(/^cannot reach /);
    expect(nobody.openMs).toBeUndefined();
  });

  it('ends when it is told to, with what it found by then', async () => {
    const stop = new AbortController();
    const endless = await startSmallRelay([], {
      instead([verb]) {
        if (verb === 'REQ') stop.abort();
        return true;
      },
    });
    const report = await probe(new URL(endless.url), { ...OPTIONS, signal: stop.signal });
    await endless.close();
    expect(report).toMatchObject({ openMs: expect.any(Number), failure: expect.any(String) });
    expect(report.readMs).toBeUndefined();
  });

  it('visits no address that it must not', async () => {
    const relay = await startSmallRelay([]);
    const guard = createGuard({ allowLoopback: false });
    const report = await probe(new URL(relay.url), { ...OPTIONS, guard });
    await relay.close();
    expect(report).toMatchObject({ failure: expect.any(String) });
    expect(report.openMs).toBeUndefined();
    expect(relay.clients).toEqual([]);
  });

  it.each([
    ['NEG-MSG', '61', true],
    ['NEG-ERR', 'blocked: this query is too big', true],
    ['NEG-ERR', 'unsupported: negentropy is off', false],
    ['CLOSED', 'unknown message', false],
  ])('asks whether it speaks NIP-77: %s %s means %j', async (verb, words, speaks) => {
    const relay = await startSmallRelay([], answersNegentropy(verb, words));
    const report = await probe(new URL(relay.url), OPTIONS);
    await relay.close();
    expect(report.negentropy).toBe(speaks);
  });
});
