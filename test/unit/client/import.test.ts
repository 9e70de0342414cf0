import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { Pace } from '../../../functions/client/pace.ts';
import type { NostrEvent } from '../../../functions/nostr/event.ts';
import { type ClientInput, runClient, startClient } from '../../support/run-client.ts';
import { type ScriptedRelay, startScriptedRelay } from '../../support/scripted-relay.ts';
import { signedEvent } from '../../support/signed-events.ts';
import { startSmallRelay } from '../../support/small-relay.ts';
import { freePorts } from '../../support/system.ts';
import { until } from '../../support/until.ts';

let folder = '';
const relays: ScriptedRelay[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'distrise-import-'));
});
afterEach(async () => {
  await Promise.all(relays.splice(0).map((relay) => relay.close()));
  await rm(folder, { recursive: true });
});

const events = Array.from({ length: 300 }, (_, n) => signedEvent({ content: `event ${n}` }));
const linesOf = (list: readonly NostrEvent[]) =>
  list.map((event) => `${JSON.stringify(event)}\n`).join('');

async function file(name: string, bytes: string | Buffer): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

async function kept<T extends ScriptedRelay>(relay: Promise<T>): Promise<T> {
  const started = await relay;
  relays.push(started);
  return started;
}

const env = () => ({ XDG_STATE_HOME: join(folder, 'state') });
const args = (relay: ScriptedRelay, ...more: string[]) => [
  ...['import', '--json', '--relay', relay.url],
  ...more,
];
async function importInto(relay: ScriptedRelay, more: string[], input: ClientInput = {}) {
  const run = await runClient(args(relay, ...more), { env: env(), ...input });
  return { ...run, report: run.json()[0] as Record<string, unknown> };
}
const stateFiles = () => {
  const states = join(folder, 'state', 'distrise', 'import');
  return existsSync(states) ? readdirSync(states) : [];
};
/** How far the only state file says that the import has come. */
const linesSaved = () => {
  const path = join(folder, 'state', 'distrise', 'import', stateFiles()[0] ?? '');
  return (JSON.parse(readFileSync(path, 'utf8')) as { lines: number }).lines;
};
const sent = (relay: ScriptedRelay) =>
  relay.said('EVENT').map(([, event]) => (event as NostrEvent).content);

describe('import', () => {
  it('sends every event of plain and packed files and of stdin, and leaves no state', async () => {
    const relay = await kept(startSmallRelay([]));
    const paths = [
      await file('a.jsonl', linesOf(events.slice(0, 100))),
      await file('b', gzipSync(linesOf(events.slice(100, 200)))),
      await file('c', zstdCompressSync(linesOf(events.slice(150, 250)))),
    ];
    const { code, report, stderr } = await importInto(relay, paths);
    expect([code, stderr]).toEqual([0, '']);
    expect(report).toMatchObject({
      complete: true,
      lines: 300,
      accepted: { stored: 250, duplicate: 50 },
      refused: {},
      bad: 0,
      notAccepted: [],
    });
    const piped = await importInto(relay, ['-'], { stdin: linesOf(events.slice(250)) });
    expect(piped.report).toMatchObject({ accepted: { stored: 50 } });
    expect(new Set(sent(relay)).size).toBe(300);
    expect(stateFiles()).toEqual([]);
  });

  it('counts bad lines with their numbers and goes on', async () => {
    const relay = await kept(startSmallRelay([]));
    const [one, two] = [JSON.stringify(events[0]), JSON.stringify(events[1])];
    const bytes = Buffer.concat([
      Buffer.from(`${one}\n{broken\n\n[]\n`),
      Buffer.from([0x22, 0xff, 0x22, 0x0a]),
      Buffer.from(`{"x":"${'x'.repeat(5_000_000)}"}\n${two}`),
    ]);
    const { code, report } = await importInto(relay, [await file('bad', bytes)]);
    expect(code).toBe(1);
    expect(report).toMatchObject({ lines: 7, accepted: { stored: 2 }, bad: 4, empty: 1 });
    expect(report?.['notAccepted']).toMatchObject([
      { line: 2, words: 'bad line: not JSON' },
      { line: 4, words: 'bad line: event must be a JSON object' },
      { line: 5, words: 'bad line: not UTF-8' },
      { line: 6, words: 'bad line: too long' },
    ]);
  });

  it('reports final refusals by reason, with line, id and words', async () => {
    const relay = await kept(
      startSmallRelay([], {
        instead([verb, event], client) {
          const { id, content } = event as NostrEvent;
          const isBad = verb === 'EVENT' && content.endsWith('7');
          if (isBad) client.send(['OK', id, false, 'blocked: seven']);
          return isBad;
        },
      }),
    );
    const path = await file('a', linesOf(events.slice(0, 20)));
    const { code, report } = await importInto(relay, [path]);
    expect(code).toBe(1);
    expect(report).toMatchObject({ accepted: { stored: 18 }, refused: { blocked: 2 } });
    expect(report?.['notAccepted']).toEqual([
      { file: path, line: 8, id: events[7]?.id, words: 'blocked: seven' },
      { file: path, line: 18, id: events[17]?.id, words: 'blocked: seven' },
    ]);
    const people = await runClient(['import', '--relay', relay.url, path], { env: env() });
    expect(people.stdout).toMatch(/20 lines: 18 duplicate, 2 refused \(blocked 2\)\n/);
  });

  it('has no more events under way than its window', async () => {
    const waiting: string[] = [];
    let most = 0;
    const relay = await kept(
      startScriptedRelay({
        onMessage([, event], client) {
          waiting.push((event as NostrEvent).id);
          most = Math.max(most, waiting.length);
          // One answer at a time: each lets the sender go on, and it must not take more than one.
          setTimeout(() => client.send(['OK', waiting.shift(), true, '']), 2 * waiting.length);
        },
      }),
    );
    await importInto(relay, ['--window', '7', await file('a', linesOf(events.slice(0, 70)))]);
    expect(sent(relay)).toHaveLength(70);
    expect(most).toBe(7);
  });

  it('sends again what was unanswered when the connection was cut', async () => {
    const answered = new Set<string>();
    const relay = await kept(
      startScriptedRelay({
        onMessage([, event], client) {
          const { id } = event as NostrEvent;
          // Each connection dies after some words, the first ones without any answer.
          if (client.said.length > (client.number > 1 ? 40 : 20)) client.cut();
          else if (client.number > 1) {
            client.send(['OK', id, true, answered.has(id) ? 'duplicate:' : '']);
            answered.add(id);
          }
        },
      }),
    );
    const path = await file('a', linesOf(events));
    const { code, report, stderr } = await importInto(relay, ['--window', '30', path]);
    expect(code).toBe(0);
    expect(report).toMatchObject({ complete: true, lines: 300 });
    expect(answered.size).toBe(300);
    expect(stderr).toMatch(/trying again/);
  }, 20_000);

  it('tries again after refusals that may pass', async () => {
    const tries = new Map<string, number>();
    const relay = await kept(
      startScriptedRelay({
        onMessage([, event], client) {
          const { id } = event as NostrEvent;
          tries.set(id, (tries.get(id) ?? 0) + 1);
          const words = tries.size % 2 === 0 ? 'error: busy' : 'rate-limited: slow down';
          client.send(['OK', id, tries.get(id) !== 1, tries.get(id) === 1 ? words : '']);
        },
      }),
    );
    const path = await file('a', linesOf(events.slice(0, 3)));
    const { code, report } = await importInto(relay, [path]);
    expect([code, report?.['accepted']]).toEqual([0, { stored: 3 }]);
    expect([...tries.values()]).toEqual([2, 2, 2]);
  });

  it('reports a refusal that does not pass after its last try', async () => {
    const relay = await kept(
      startScriptedRelay({
        onMessage: ([, event], client) =>
          client.send(['OK', (event as NostrEvent).id, false, 'error: broken']),
      }),
    );
    const path = await file('a', linesOf(events.slice(0, 2)));
    const { code, report } = await importInto(relay, ['--retries', '1', path]);
    expect([code, report?.['refused']]).toEqual([1, { error: 2 }]);
    expect(sent(relay)).toHaveLength(4);
  });

  it('goes on after an interruption where the answers end, also when moved and packed', async () => {
    const path = await file('a', linesOf(events));
    const relay = await kept(
      startSmallRelay([], {
        // The tenth event is never answered; those after it are.
        instead: ([verb, event]) => verb === 'EVENT' && (event as NostrEvent).content === 'event 9',
      }),
    );
    const first = startClient(args(relay, path), { env: env() });
    await until(() => linesSaved() === 9, { what: 'the saved state' });
    first.interrupt('SIGINT');
    expect(await first.code).toBe(130);
    expect(first.json()).toMatchObject([{ complete: false }]);
    expect(stateFiles()).toHaveLength(1);

    const second = await kept(startSmallRelay(events.slice(0, 9), { port: await freed(relay) }));
    const packed = await file('moved', gzipSync(linesOf(events)));
    const { code, report, stderr } = await importInto(second, [packed]);
    expect([code, sent(second)[0], sent(second).length]).toEqual([0, 'event 9', 291]);
    expect(stderr).toMatch(/going on after line 9 /);
    expect(report).toMatchObject({ complete: true, lines: 300, sentNow: 291 });
    expect(stateFiles()).toEqual([]);
  });

  it('begins again when the file has changed, and when told to', async () => {
    const relay = await kept(startSmallRelay([]));
    const path = await file('a', linesOf(events.slice(0, 50)));
    const state = join(folder, 'my.state');
    const write = (chain: string) =>
      writeFile(
        state,
        JSON.stringify({
          ...{ version: 1, relay: `${relay.url}/`, lines: 20, chain },
          counts: { accepted: { stored: 20 }, refused: {}, bad: 0, empty: 0 },
        }),
      );
    await write('of another file');
    const changed = await importInto(relay, ['--state', state, path]);
    expect(changed.stderr).toMatch(/has changed since it was interrupted; beginning again/);
    expect(changed.report).toMatchObject({ lines: 50, sentNow: 50 });
    expect(existsSync(state)).toBe(false);
    await write('of another file');
    const piped = await importInto(relay, ['--state', state, '-'], {
      stdin: linesOf(events.slice(0, 50)),
    });
    expect(piped).toMatchObject({ code: 2, stdout: '' });
    const told = await importInto(relay, ['--state', state, '--restart', path]);
    expect(told.report).toMatchObject({ accepted: { duplicate: 50 }, sentNow: 50 });
  });

  it('gives up a relay that is gone, keeps the state, and says so by 3', async () => {
    const relay = await kept(
      // Not one that another test is given as soon as it is free.
      startScriptedRelay(
        {
          onMessage([, event], client) {
            client.send(['OK', (event as NostrEvent).id, true, '']);
            if (client.said.length === 100) void relay.close();
          },
        },
        await freePorts(1),
      ),
    );
    const path = await file('a', linesOf(events));
    const { code, report, stderr } = await importInto(relay, ['--patience', '0.5', path]);
    expect(code).toBe(3);
    expect(report).toMatchObject({ complete: false });
    expect(stderr).toMatch(/ECONNREFUSED[^\n]*\n$/);
    expect(linesSaved()).toBe(report?.['lines']);
  });

  it('tells a relay that was never there at once', async () => {
    const relay = await startScriptedRelay({});
    await relay.close();
    const { code, stderr } = await importInto(relay, [await file('a', linesOf(events))]);
    expect(code).toBe(3);
    expect(stderr).toMatch(/cannot reach/);
  });

  it.each([
    [['none.jsonl'], /cannot read none.jsonl: ENOENT/],
    [['a', 'b', '--state', 'x'], /--state goes with one FILE/],
    [[], /missing required argument/],
    [['--window', '0', 'a'], /1 to 100000/],
  ])('%j is wrong usage', async (given, words) => {
    const run = await runClient(['import', ...given]);
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr).toMatch(words);
  });

  it('of a file that breaks off ends with 4 after what could be read', async () => {
    const relay = await kept(startSmallRelay([]));
    const packed = gzipSync(linesOf(events));
    const path = await file('a.gz', packed.subarray(0, packed.length - 100));
    const { code, report, stderr } = await importInto(relay, [path]);
    expect([code, report?.['complete']]).toEqual([4, false]);
    expect(stderr).toMatch(/to its end: unexpected end of file\n$/);
  });
});

/** Closes a relay and gives its port to the next. */
async function freed(relay: ScriptedRelay): Promise<number> {
  await relay.close();
  return relay.port;
}

describe('the pace', () => {
  it('stops for longer and longer, halves what is under way, and recovers', () => {
    let nowMs = 0;
    const pace = new Pace(8, () => nowMs);
    pace.pushedBack();
    pace.pushedBack();
    expect([pace.pauseMs, pace.window]).toEqual([250, 4]);
    nowMs = 250;
    pace.pushedBack();
    expect([pace.pauseMs, pace.window]).toEqual([500, 2]);
    nowMs = 750;
    for (let n = 0; n < 100; n += 1) pace.answered();
    expect([pace.pauseMs, pace.window]).toEqual([0, 8]);
    pace.pushedBack();
    expect(pace.pauseMs).toBe(250);
  });
});
