import type { NostrEvent } from '../../../functions/nostr/event.ts';
import { loadVerifier } from '../../../functions/nostr/verify.ts';
import {
  type Connection,
  type ConnectOptions,
  connect,
} from '../../../functions/upstream/connection.ts';
import { publicKeyOf, secretKeyOf } from '../../support/keys.ts';
import {
  type Script,
  type ScriptedRelay,
  startScriptedRelay,
} from '../../support/scripted-relay.ts';
import { until } from '../../support/until.ts';

const secretKey = secretKeyOf('who we are');
let relay: ScriptedRelay;
let connection: Connection;

async function open(script: Script, options: ConnectOptions = { auth: { secretKey } }) {
  relay = await startScriptedRelay(script);
  connection = await connect(relay.url, options);
}

afterEach(async () => {
  await connection.close();
  await relay.close();
});

const answers = () => relay.said('AUTH').map(([, event]) => event as NostrEvent);

/** Accepts every answer. */
const accepting: Script['onMessage'] = ([verb, event], client) => {
  if (verb === 'AUTH') client.send(['OK', (event as NostrEvent).id, true, '']);
};

describe('a challenge (NIP-42)', () => {
  it('is answered with a signed event that names the relay and the challenge', async () => {
    await open({ onConnect: (client) => client.send(['AUTH', 'abc']), onMessage: accepting });
    await expect(connection.authenticate()).resolves.toEqual({ accepted: true, message: '' });
    const [event, ...others] = answers();
    expect(others).toEqual([]);
    expect(event).toMatchObject({
      kind: 22_242,
      pubkey: publicKeyOf(secretKey),
      tags: [
        ['relay', `${relay.url}/`],
        ['challenge', 'abc'],
      ],
      content: '',
    });
    expect(Math.abs((event?.created_at ?? 0) - Date.now() / 1000)).toBeLessThan(60);
    expect(event && (await loadVerifier()).verify(event)).toBe(true);
  });

  it('is answered once, whoever asks; a new one is answered again', async () => {
    await open({ onConnect: (client) => client.send(['AUTH', 'one']), onMessage: accepting });
    const first = await Promise.all([connection.authenticate(), connection.authenticate()]);
    first.push(await connection.authenticate());
    expect(first.every(({ accepted }) => accepted)).toBe(true);
    expect(answers()).toHaveLength(1);
    relay.clients[0]?.send(['AUTH', 'two']);
    await until(
      async () => {
        await connection.authenticate();
        return answers().length > 1;
      },
      { what: 'the second answer' },
    );
    expect(answers().map(({ tags }) => tags[1]?.[1])).toEqual(['one', 'two']);
  });

  it('may come after the refusal that asks for an answer', async () => {
    await open({
      onMessage(message, client) {
        if (message[0] === 'REQ') client.send(['CLOSED', message[1], 'auth-required: who are you']);
        if (message[0] === 'CLOSE') client.send(['AUTH', 'late']);
        accepting(message, client);
      },
    });
    for await (const item of connection.subscribe([{}])) {
      expect(item).toEqual({ type: 'closed', message: 'auth-required: who are you' });
    }
    const waiting = connection.authenticate();
    relay.clients[0]?.send(['AUTH', 'late']);
    await expect(waiting).resolves.toMatchObject({ accepted: true });
  });

  it('whose answer is refused gives the words of the relay', async () => {
    await open({
      onConnect: (client) => client.send(['AUTH', 'abc']),
      onMessage: ([, event], client) =>
        client.send(['OK', (event as NostrEvent).id, false, 'restricted: not you']),
    });
    await expect(connection.authenticate()).resolves.toEqual({
      accepted: false,
      message: 'restricted: not you',
    });
  });

  it('is not answered without a key', async () => {
    await open({ onConnect: (client) => client.send(['AUTH', 'abc']) }, {});
    await expect(connection.authenticate()).rejects.toMatchObject({ code: 'refused' });
    expect(answers()).toEqual([]);
  });

  it('that never comes, or never gets its OK, is waited for within bounds', async () => {
    const options = { auth: { secretKey }, limits: { publishTimeoutMs: 30 } };
    await open({}, options);
    await expect(connection.authenticate()).rejects.toMatchObject({ code: 'timeout' });
    relay.clients[0]?.send(['AUTH', 'abc']);
    await expect(connection.authenticate()).rejects.toMatchObject({
      code: 'timeout',
      message: expect.stringContaining('OK'),
    });
  });

  it('is not waited for on a connection that ends', async () => {
    await open({});
    const waiting = expect(connection.authenticate()).rejects.toMatchObject({ code: 'closed' });
    await connection.close();
    await waiting;
    await expect(connection.authenticate()).rejects.toMatchObject({ code: 'closed' });
  });
});
