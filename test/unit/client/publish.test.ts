import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { npubEncode, nsecEncode } from 'nostr-tools/nip19';
import { computeId, type NostrEvent } from '../../../functions/nostr/event.ts';
import { loadVerifier } from '../../../functions/nostr/verify.ts';
import { publicKeyOf, secretKeyOf } from '../../support/keys.ts';
import { type ClientInput, runClient } from '../../support/run-client.ts';
import { startScriptedRelay } from '../../support/scripted-relay.ts';
import { signedEvent } from '../../support/signed-events.ts';
import { type SmallRelay, startSmallRelay } from '../../support/small-relay.ts';

const SECRET = secretKeyOf(7);
const HEX = Buffer.from(SECRET).toString('hex');
const KEY_ENV = { DISTRISE_SECRET_KEY: HEX };
const NOW = 1_700_000_000;

let folder = '';
let relay: SmallRelay;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'distrise-publish-'));
});
afterAll(() => rm(folder, { recursive: true }));
beforeEach(async () => {
  relay = await startSmallRelay([]);
});
afterEach(() => relay.close());

const sent = () => relay.said('EVENT').map(([, event]) => event as NostrEvent);
const publish = (args: readonly string[], input: ClientInput = { env: KEY_ENV }) =>
  runClient(['publish', '--relay', relay.url, ...args], { nowSeconds: NOW, ...input });

describe('keygen', () => {
  it('prints a pair of keys in both forms', async () => {
    const { code, json } = await runClient(['keygen', '--json']);
    const [keys] = json() as { nsec: string; secretHex: string; npub: string; publicHex: string }[];
    const secret = new Uint8Array(Buffer.from(keys?.secretHex ?? '', 'hex'));
    expect(keys).toEqual({
      nsec: nsecEncode(secret),
      secretHex: expect.stringMatching(/^[0-9a-f]{64}$/),
      npub: npubEncode(publicKeyOf(secret)),
      publicHex: publicKeyOf(secret),
    });
    expect(code).toBe(0);
    expect((await runClient(['keygen'])).stdout).not.toContain(keys?.nsec);
  });

  it('writes a key that only its owner may read, shows no secret, and overwrites nothing', async () => {
    const file = join(folder, 'new-key');
    const first = await runClient(['keygen', '--output', file]);
    expect(first.code).toBe(0);
    expect(first.stdout).toMatch(/npub1/);
    expect(first.stdout).not.toMatch(/nsec1|secret/);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const written = await readFile(file, 'utf8');
    const second = await runClient(['keygen', '--output', file]);
    expect(second).toMatchObject({ code: 2, stdout: '' });
    expect(second.stderr).toMatch(/never overwritten\n$/);
    expect(await readFile(file, 'utf8')).toBe(written);
    expect((await publish(['--key-file', file, 'signed by it'], {})).code).toBe(0);
  });
});

describe('publish', () => {
  it('signs a text and prints the OK', async () => {
    const { code, stdout, stderr } = await publish([
      'hello',
      'world',
      '--tag',
      't=x',
      '--kind',
      '42',
    ]);
    const [event] = sent();
    expect(event).toMatchObject({
      pubkey: publicKeyOf(SECRET),
      created_at: NOW,
      kind: 42,
      tags: [['t', 'x']],
      content: 'hello world',
    });
    expect((await loadVerifier()).verify(event as NostrEvent)).toBe(true);
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: `${event?.id} accepted\n`,
      stderr: '',
    });
  });

  it.each([
    ['nsec', nsecEncode(SECRET)],
    ['hex with a line end', `${HEX}\n`],
  ])('takes a key as %s', async (_, key) => {
    expect((await publish(['x'], { env: { DISTRISE_SECRET_KEY: key } })).code).toBe(0);
    expect(sent()[0]?.pubkey).toBe(publicKeyOf(SECRET));
  });

  it('takes content from stdin and from a file, tags as JSON, and a time', async () => {
    await publish(['-', '--created-at', '2h'], { env: KEY_ENV, stdin: 'from a pipe\n' });
    const file = join(folder, 'page.md');
    await writeFile(file, '# page\n');
    await publish(['--content-file', file, '--tag', '["e","a","b","c"]', '--created-at', '77']);
    expect(sent()).toMatchObject([
      { content: 'from a pipe', created_at: NOW - 7_200 },
      { content: '# page\n', created_at: 77, tags: [['e', 'a', 'b', 'c']] },
    ]);
  });

  it('sends ready events as they are, and signs templates', async () => {
    const ready = [1, 2].map((n) => signedEvent({ content: `ready ${n}` }));
    const lines = `${ready.map((event) => JSON.stringify(event)).join('\n')}\n\n`;
    const many = await publish(['--events', '-', '--json'], { stdin: lines });
    expect(many.code).toBe(0);
    expect(many.json()).toEqual(ready.map(({ id }) => ({ id, accepted: true, message: '' })));
    const known = await publish(['--events', JSON.stringify(ready[0])], {});
    expect(known.stdout).toBe(`${ready[0]?.id} accepted duplicate: known\n`);
    await publish(['--events', '{"kind":30023,"content":"x","tags":[["d","y"]]}']);
    const events = sent();
    expect(events.slice(0, 2)).toEqual(ready);
    expect(events[3]).toMatchObject({ kind: 30_023, created_at: NOW, tags: [['d', 'y']] });
    expect(events[3]?.id).toBe(computeId(events[3] as NostrEvent));
  });

  it('ends with 1 when the relay refuses', async () => {
    const strict = await startScriptedRelay({
      onMessage: ([, event], client) =>
        client.send(['OK', (event as NostrEvent).id, false, 'blocked: you']),
    });
    const { code, stdout } = await publish(['x', '--relay', strict.url]);
    expect([code, stdout]).toEqual([
      1,
      expect.stringMatching(/^[0-9a-f]{64} refused blocked: you\n$/),
    ]);
    await strict.close();
  });

  it('ends with 3 when nobody listens, and when the connection is cut', async () => {
    const cutting = await startScriptedRelay({ onMessage: (_, client) => client.cut() });
    expect(await publish(['x', '--relay', cutting.url])).toMatchObject({ code: 3, stdout: '' });
    await cutting.close();
    const { code, stderr } = await publish(['x', '--relay', cutting.url]);
    expect(code).toBe(3);
    expect(stderr).toMatch(/^distrise: cannot reach .*ECONNREFUSED.*\n$/);
  });

  it.each([
    [['x'], {}, /no key to sign with/],
    [['x'], { DISTRISE_SECRET_KEY: `${HEX}0` }, /DISTRISE_SECRET_KEY is no secret key/],
    [['x'], { DISTRISE_SECRET_KEY: '0'.repeat(64) }, /DISTRISE_SECRET_KEY is no secret key/],
    [[], KEY_ENV, /nothing to publish/],
    [['--kind', '70000', 'x'], KEY_ENV, /kind from 0 to 65535/],
    [['--tag', 'novalue', 'x'], KEY_ENV, /name=value/],
    [['--tag', '[1]', 'x'], KEY_ENV, /JSON array of strings/],
    [['--created-at', 'soon', 'x'], KEY_ENV, /--created-at: given "soon"/],
    [['--events', '{'], KEY_ENV, /argument 1: not JSON/],
    [['--events', '{"sig":1}'], KEY_ENV, /argument 1: id must be/],
    [['--events', '{"kind":"one"}'], KEY_ENV, /kind must be an integer/],
    [['--nonsense'], KEY_ENV, /unknown option/],
    [['--relay', 'http://x', 'x'], KEY_ENV, /not a relay's address/],
  ])('%j is wrong usage, told in one line without the key', async (args, env, words) => {
    const { code, stdout, stderr } = await publish(args, { env });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(words);
    expect(stderr).toMatch(/^distrise: [^\n]*\n$/);
    expect(stderr).not.toContain(HEX);
    expect(sent()).toEqual([]);
  });

  it('warns of a key file that others may read', async () => {
    const file = join(folder, 'open-key');
    await writeFile(file, HEX);
    await chmod(file, 0o644);
    const { code, stderr } = await publish(['x', '--key-file', file], {});
    expect(code).toBe(0);
    expect(stderr).toMatch(/others may read/);
  });
});
