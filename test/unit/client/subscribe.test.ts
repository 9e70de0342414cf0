import { npubEncode } from 'nostr-tools/nip19';
import type { NostrEvent } from '../../../functions/nostr/event.ts';
import { publicKeyOf, secretKeyOf } from '../../support/keys.ts';
import { runClient, startClient } from '../../support/run-client.ts';
import { startScriptedRelay } from '../../support/scripted-relay.ts';
import { signedEvent } from '../../support/signed-events.ts';
import { startSmallRelay } from '../../support/small-relay.ts';
import { until } from '../../support/until.ts';

const nowSeconds = Math.floor(Date.now() / 1_000);
const eventAt = (secondsAgo: number, content = '') =>
  signedEvent({ created_at: nowSeconds - secondsAgo, content });
const contents = (events: unknown[]) => events.map((event) => (event as NostrEvent).content);

describe('subscribe', () => {
  it('prints what is stored, newest first, and ends at EOSE when told to', async () => {
    const stored = [eventAt(1, 'a'), eventAt(2, 'b'), eventAt(3, 'c')];
    const relay = await startSmallRelay(stored);
    const run = await runClient([
      'subscribe',
      '--relay',
      relay.url,
      '--stop-at-eose',
      '--limit',
      '2',
    ]);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.json()).toEqual(stored.slice(0, 2));
    await relay.close();
  });

  it('asks what the flags say', async () => {
    const relay = await startSmallRelay([]);
    const key = publicKeyOf(secretKeyOf(1));
    const id = 'A'.repeat(64);
    const flags = ['--author', npubEncode(key), '--author', key, '--id', id, '--kind', '1,2'];
    flags.push('--kind', '3', '--tag', `p=${npubEncode(key)}`, '--tag', 't=x', '--tag', '#t=y=z');
    flags.push(
      '--since',
      '1h',
      '--until',
      '2024-01-01',
      '--limit',
      '5',
      '--filter',
      '{"kinds":[9]}',
    );
    await runClient(['subscribe', '--stop-at-eose', ...flags], {
      env: { DISTRISE_RELAY: relay.url },
      nowSeconds: 10_000,
    });
    expect(relay.said('REQ')).toEqual([
      [
        'REQ',
        's1',
        {
          ids: ['a'.repeat(64)],
          authors: [key],
          kinds: [1, 2, 3],
          '#p': [key],
          '#t': ['x', 'y=z'],
          since: 6_400,
          until: 1_704_067_200,
          limit: 5,
        },
        { kinds: [9] },
      ],
    ]);
    await relay.close();
  });

  it.each([
    [['--author', 'npub1x'], /npub1/],
    [['--id', 'abc'], /64 hex characters/],
    [['--kind', 'one'], /kind from 0/],
    [['--tag', 'long=x'], /one letter/],
    [['--limit', '-1'], /whole number/],
    [['--filter', '{'], /--filter: not JSON/],
    [['--filter', '{"kind":1}'], /field "kind" is not known/],
  ])('%j is wrong usage', async (flags, words) => {
    const run = await runClient(['subscribe', ...flags]);
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr).toMatch(words);
  });

  it('goes on live, ends with 0 on Ctrl-C and with 143 on SIGTERM', async () => {
    const relay = await startSmallRelay([eventAt(5, 'stored')]);
    const args = ['subscribe', '--relay', relay.url];
    const runs = [startClient(args), startClient(args)];
    await until(() => runs.every((run) => run.json().length === 1), { what: 'the stored event' });
    relay.add(eventAt(0, 'live'));
    await until(() => runs.every((run) => run.json().length === 2), { what: 'the live event' });
    runs[0]?.interrupt('SIGINT');
    runs[1]?.interrupt('SIGTERM');
    await expect(Promise.all(runs.map((run) => run.code))).resolves.toEqual([0, 143]);
    await relay.close();
  });

  it('loses and repeats nothing over lost connections, however much came meanwhile', async () => {
    const first = await startSmallRelay([eventAt(100, 'old')]);
    const run = startClient(['subscribe', '--relay', first.url]);
    await until(() => run.json().length === 1, { what: 'the stored event' });
    first.add(eventAt(0, 'live'));
    await until(() => run.json().length === 2, { what: 'the live event' });
    await first.close();
    // More than one answer of this relay holds, and from before the loss, too.
    const missed = Array.from({ length: 37 }, (_, n) => eventAt(n * 10, `missed ${n}`));
    const known = [eventAt(100, 'old'), eventAt(0, 'live'), eventAt(5_000, 'too old')];
    const second = await startSmallRelay([...known, ...missed], { limitMax: 10, port: first.port });
    await until(() => run.json().length === 39, { what: 'what was missed' });
    second.add(eventAt(0, 'live again'));
    await until(() => run.json().length === 40, { what: 'the next live event' });
    for (const client of second.clients) client.cut();
    await until(() => second.clients.length > 1 && second.said('CLOSE').length > 0, {
      what: 'another connection',
    });
    second.add(eventAt(0, 'the last'));
    await until(() => contents(run.json()).includes('the last'), { what: 'the last event' });
    run.interrupt();
    expect(await run.code).toBe(0);
    const seen = contents(run.json());
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toHaveLength(41);
    expect(seen).not.toContain('too old');
    expect(run.stderr()).toMatch(/trying again/);
    await second.close();
  }, 20_000);

  it('ends with 1 and the words of a relay that refuses', async () => {
    const relay = await startScriptedRelay({
      onMessage: ([, id], client) => client.send(['CLOSED', id, 'restricted: members only']),
    });
    const run = await runClient(['subscribe', '--relay', relay.url]);
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toMatch(/closed the subscription: restricted: members only\n$/);
    await relay.close();
  });

  it('tries again after trouble that may pass', async () => {
    const relay = await startScriptedRelay({
      onMessage([verb, id], client) {
        if (verb !== 'REQ') return;
        if (client.said.length === 1) client.send(['CLOSED', id, 'error: database away']);
        else client.send(['EVENT', id, eventAt(1, 'at last')]);
      },
    });
    const run = startClient(['subscribe', '--relay', relay.url]);
    await until(() => run.json().length === 1, { what: 'the event' });
    run.interrupt();
    expect(await run.code).toBe(0);
    await relay.close();
  });

  it('ends with 3 when nobody listens, and when the relay goes before EOSE', async () => {
    const cutting = await startScriptedRelay({ onMessage: (_, client) => client.cut() });
    const args = ['subscribe', '--stop-at-eose', '--relay', cutting.url];
    expect((await runClient(args)).code).toBe(3);
    await cutting.close();
    expect((await runClient(args)).code).toBe(3);
  });
});
