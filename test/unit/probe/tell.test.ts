import * as nip17 from 'nostr-tools/nip17';
import { finalizeEvent, generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import type { NostrEvent } from '../../../functions/nostr/event.ts';
import { tell } from '../../../functions/probe/tell.ts';
import { connect } from '../../../functions/upstream/connection.ts';
import { type SmallRelay, startSmallRelay } from '../../support/small-relay.ts';

const probeKey = generateSecretKey();
const operatorKey = generateSecretKey();
const operator = getPublicKey(operatorKey);
const relays: SmallRelay[] = [];
afterEach(async () => {
  for (const relay of relays.splice(0)) await relay.close();
});

/** A relay, and what was published there. */
async function start(stored: readonly NostrEvent[] = []) {
  const taken: NostrEvent[] = [];
  const relay = await startSmallRelay(stored, {
    instead([verb, event]) {
      if (verb === 'EVENT') taken.push(event as NostrEvent);
      return false;
    },
  });
  relays.push(relay);
  return { url: relay.url, taken };
}

const inboxList = (created_at: number, ...urls: string[]): NostrEvent =>
  finalizeEvent(
    { kind: 10_050, created_at, tags: urls.map((url) => ['relay', url]), content: '' },
    operatorKey,
  );

const ports = { connect: (address: string) => connect(address) };
const ask = (...urls: string[]) =>
  tell({ key: probeKey, to: operator, relays: urls, message: 'it is down' }, ports);

describe('telling the operator', () => {
  it('sends a message that only the operator can read to the inboxes of the newest list', async () => {
    const old = await start();
    const inbox = await start();
    const one = await start([inboxList(1_700_000_000, old.url)]);
    const two = await start([inboxList(1_700_000_001, inbox.url)]);
    expect(await ask(one.url, two.url)).toEqual({ told: 1, reasons: [] });
    expect(old.taken).toEqual([]);
    const [wrap] = inbox.taken as [NostrEvent];
    expect(wrap.kind).toBe(1_059);
    expect(JSON.stringify(wrap)).not.toContain('it is down');
    const received = JSON.parse(JSON.stringify(wrap)) as Parameters<typeof nip17.unwrapEvent>[0];
    expect(nip17.unwrapEvent(received, operatorKey)).toMatchObject({
      kind: 14,
      pubkey: getPublicKey(probeKey),
      content: 'it is down',
    });
  });

  it('sends nothing where no list of inboxes is found', async () => {
    const relay = await start();
    expect(await ask(relay.url)).toEqual({
      told: 0,
      reasons: ['no list of inboxes (kind 10050) was found'],
    });
    expect(relay.taken).toEqual([]);
  });

  it('says which inbox did not answer', async () => {
    const inbox = await start();
    const relay = await start([inboxList(1_700_000_000, 'ws://127.0.0.1:1/', inbox.url)]);
    const { told, reasons } = await ask(relay.url);
    expect(told).toBe(1);
    expect(reasons).toEqual([expect.stringMatching(/^ws:\/\/127\.0\.0\.1:1\/: /)]);
  });
});
