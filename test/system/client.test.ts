import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventText, type NostrEvent } from '../../functions/nostr/event.ts';
import { sampleEvents } from '../support/corpus.ts';
import { publicKeyOf, secretKeyOf } from '../support/keys.ts';
import { signedEvent } from '../support/signed-events.ts';
import { remaining } from '../support/slow-oracle.ts';
import { useSystem } from '../support/system.ts';
import { until } from '../support/until.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const LAUNCHER = join(ROOT, 'functions', 'client', 'distrise.js');
const SAMPLE = join(ROOT, 'test', 'fixtures', 'sample.jsonl');

const system = useSystem();
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'distrise-client-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Starts the command as a process of its own, against the running system. */
function start(...args: string[]) {
  const child = spawn(process.execPath, [LAUNCHER, ...args], {
    env: { ...process.env, DISTRISE_RELAY: system().urls[0], XDG_STATE_HOME: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const text = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (more: string) => {
    text.stdout += more;
  });
  child.stderr.setEncoding('utf8').on('data', (more: string) => {
    text.stderr += more;
  });
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return { child, text, ended };
}

async function run(...args: string[]) {
  const { text, ended } = start(...args);
  return { code: await ended, ...text };
}

const linesOf = (events: readonly NostrEvent[]) =>
  events.map((event) => `${eventText(event)}\n`).join('');

it('a new key publishes, and a subscriber gets it live and from the store', async () => {
  const key = join(folder, 'key');
  const keys = await run('keygen', '--output', key, '--json');
  const { npub, publicHex } = JSON.parse(keys.stdout) as { npub: string; publicHex: string };
  const subscriber = start('subscribe', '--author', npub);
  // Nothing tells from outside when the subscription stands: publish until it is heard.
  const published: string[] = [];
  await until(
    async () => {
      const { code, stdout } = await run('publish', '--key-file', key, `${published.length}`);
      expect([code, stdout]).toEqual([0, expect.stringMatching(/^[0-9a-f]{64} accepted\n$/)]);
      published.push(stdout.slice(0, 64));
      return subscriber.text.stdout !== '';
    },
    { timeoutMs: 20_000, what: 'an event at the subscriber' },
  );
  subscriber.child.kill('SIGINT');
  expect(await subscriber.ended).toBe(0);
  const stored = await run('subscribe', '--author', publicHex, '--stop-at-eose');
  const ids = stored.stdout
    .split('\n')
    .flatMap((line) => (line === '' ? [] : [JSON.parse(line).id]));
  expect([stored.code, new Set(ids)]).toEqual([0, new Set(published)]);
}, 60_000);

it('an import comes back by export as exactly what must remain', async () => {
  const imported = await run('import', '--json', SAMPLE);
  const report = JSON.parse(imported.stdout) as { lines: number; notAccepted: { id: string }[] };
  const events = sampleEvents();
  const refused = new Set(report.notAccepted.map(({ id }) => id));
  expect(report.lines).toBe(events.length);
  expect(imported.code).toBe(refused.size > 0 ? 1 : 0);
  // What our own limits of time refuse, and nothing else.
  expect(refused.size).toBeLessThan(10);
  const authors = new Set(events.map(({ pubkey }) => pubkey));
  const flags = [...authors].flatMap((author) => ['--author', author]);
  const wanted = linesOf(remaining(events.filter(({ id }) => !refused.has(id))));
  // Between OK and commit a version that was replaced may still be on its way.
  const output = join(folder, 'out.jsonl.zst');
  await until(
    async () => {
      const exported = await run('export', '--page-size', '40', ...flags);
      expect(exported).toMatchObject({ code: 0, stderr: '' });
      return exported.stdout === wanted;
    },
    { timeoutMs: 20_000, what: 'exactly what must remain' },
  );
  expect((await run('export', '--output', output)).code).toBe(0);
  const again = await run('import', '--json', output);
  expect(again.code).toBe(0);
  expect(Object.keys(JSON.parse(again.stdout).accepted)).toEqual(['duplicate']);
}, 60_000);

it('a killed import goes on where it was and loses nothing', async () => {
  const now = Math.floor(Date.now() / 1_000);
  const events = Array.from({ length: 6_000 }, (_, n) =>
    signedEvent({ key: 99, content: `${n}`, created_at: now - Math.floor(n / 20) }),
  );
  const file = join(folder, 'many.jsonl');
  const state = join(folder, 'many.state');
  await writeFile(file, linesOf(events));
  const flags = ['import', '--json', '--window', '5', '--state', state, file];
  const first = start(...flags);
  await until(() => existsSync(state), { what: 'the state', timeoutMs: 20_000 });
  first.child.kill('SIGKILL');
  expect(await first.ended).toBeNull();
  expect((await stat(state)).mode & 0o777).toBe(0o600);
  const second = await run(...flags.map((flag) => (flag === '5' ? '1000' : flag)));
  expect(second.code).toBe(0);
  expect(second.stderr).toMatch(/going on after line [1-9]/);
  const report = JSON.parse(second.stdout) as { lines: number; sentNow: number };
  expect(report.lines).toBe(6_000);
  expect(report.sentNow).toBeLessThan(6_000);
  expect(existsSync(state)).toBe(false);
  const author = publicKeyOf(secretKeyOf(99));
  const exported = await run('export', '--author', author);
  expect(exported.code).toBe(0);
  expect(exported.stdout.split('\n').filter((line) => line !== '')).toHaveLength(6_000);
}, 60_000);

it('a whole relay passes the check, with its limits on rates as well', async () => {
  const { code, stdout } = await run('check', system().urls[0] ?? '');
  expect(stdout).not.toContain('FAILED');
  expect(stdout.match(/^ok /gm)).toHaveLength(13);
  expect(code).toBe(0);
});
