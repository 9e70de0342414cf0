import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { eventText, type NostrEvent } from '../../../functions/nostr/event.ts';
import { runClient } from '../../support/run-client.ts';
import { type ScriptedRelay, startScriptedRelay } from '../../support/scripted-relay.ts';
import { signedEvent } from '../../support/signed-events.ts';
import { inOrder } from '../../support/slow-oracle.ts';
import { type SmallRelayOptions, startSmallRelay } from '../../support/small-relay.ts';

let folder = '';
const relays: ScriptedRelay[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'distrise-export-'));
});
afterAll(() => rm(folder, { recursive: true }));
afterEach(async () => {
  await Promise.all(relays.splice(0).map((relay) => relay.close()));
});

async function exportFrom(
  stored: readonly NostrEvent[],
  flags: readonly string[],
  options: SmallRelayOptions = {},
) {
  const relay = await startSmallRelay(stored, options);
  relays.push(relay);
  return runClient(['export', '--relay', relay.url, ...flags]);
}

/** Several in most seconds, of a few kinds. */
const events = Array.from({ length: 250 }, (_, n) =>
  signedEvent({ created_at: 1_000 + Math.floor(n / 7), kind: 1 + (n % 3), content: `event ${n}` }),
);
const textOf = (list: readonly NostrEvent[]) =>
  inOrder(list)
    .map((event) => `${eventText(event)}\n`)
    .join('');

describe('export', () => {
  it('gives everything past any limit, newest first, each once', async () => {
    const run = await exportFrom(events, [], { limitMax: 20 });
    expect(run).toMatchObject({ code: 0, stderr: '', stdout: textOf(events) });
  });

  it('gives what the filters ask for, and what two of them ask for once', async () => {
    const flags = ['--filter', '{"kinds":[1,2]}', '--filter', '{"kinds":[2,3],"since":1020}'];
    const wanted = events.filter(
      ({ kind, created_at }) => kind < 3 || (kind === 3 && created_at >= 1_020),
    );
    const run = await exportFrom(events, flags, { limitMax: 20 });
    expect(run).toMatchObject({ code: 0, stdout: textOf(wanted) });
    const few = await exportFrom(events, ['--limit', '30', '--page-size', '8']);
    expect(few.stdout).toBe(textOf(inOrder(events).slice(0, 30)));
  });

  it.each([
    ['out.jsonl', (bytes: Buffer) => bytes],
    ['out.jsonl.gz', gunzipSync],
    ['out.jsonl.zst', zstdDecompressSync],
  ])('writes %s whole', async (name, unpack) => {
    const path = join(folder, name);
    const run = await exportFrom(events, ['--output', path]);
    expect(run).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect(unpack(readFileSync(path)).toString()).toBe(textOf(events));
    expect(readdirSync(folder).filter((file) => file.endsWith('.part'))).toEqual([]);
  });

  it('asks a page again that broke off in the middle', async () => {
    const run = await exportFrom(events, ['--page-size', '50'], {
      instead(message, client) {
        if (message[0] !== 'REQ' || client.number === 2) return false;
        client.send(['EVENT', message[1], events.at(-1)]);
        client.socket.send('["EVENT"', { fin: false }, () => client.cut());
        return true;
      },
    });
    expect(run).toMatchObject({ code: 0, stdout: textOf(events) });
  });

  it('ends with 1 where one second is more than the relay gives, and keeps the old file', async () => {
    const crowd = Array.from({ length: 80 }, (_, n) =>
      signedEvent({ created_at: 5, content: `crowd ${n}` }),
    );
    const path = join(folder, 'old.jsonl');
    await writeFile(path, 'old');
    const stored = [...crowd, ...events];
    const run = await exportFrom(stored, ['--output', path], { limitMax: 60 });
    expect(run.code).toBe(1);
    expect(run.stderr).toMatch(/more events of second 5 \(1970-01-01T00:00:05.000Z\)/);
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder).filter((file) => file.endsWith('.part'))).toEqual([]);
    const some = await exportFrom(stored, ['--allow-incomplete'], { limitMax: 60 });
    expect(some.code).toBe(1);
    expect(some.stdout.split('\n')).toHaveLength(250 + 60 + 1);
  });

  it('drops what is forged unless it is told to believe it', async () => {
    const forged = { ...signedEvent(), content: 'forged' };
    expect((await exportFrom([forged], [])).stdout).toBe('');
    expect((await exportFrom([forged], ['--no-verify'])).stdout).toBe(`${eventText(forged)}\n`);
  });

  it('ends with 1 at a refusal, 3 without a relay, 4 where it cannot write', async () => {
    const refusing = await startScriptedRelay({
      onMessage: ([, id], client) => client.send(['CLOSED', id, 'auth-required: who are you']),
    });
    const args = ['export', '--relay', refusing.url];
    const refused = await runClient(args);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(/refused the query: auth-required: who are you\n$/);
    await refusing.close();
    expect((await runClient(args)).code).toBe(3);
    const nowhere = join(folder, 'no', 'such', 'folder');
    const unwritten = await exportFrom(events, ['--output', nowhere]);
    expect(unwritten.code).toBe(4);
    expect(unwritten.stderr).toMatch(/^distrise: cannot write [^\n]*\n$/);
    expect(existsSync(nowhere)).toBe(false);
  });
});
