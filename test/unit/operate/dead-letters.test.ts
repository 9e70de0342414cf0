import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { npubEncode } from 'nostr-tools/nip19';
import { decodeLines, encodeLines, FORMAT } from '../../../functions/cloud/envelope.ts';
import { openPuller } from '../../../functions/cloud/pull.ts';
import { buryMessages, forgetLetters } from '../../../functions/database/dead-letters.ts';
import { migrate } from '../../../functions/database/migrate.ts';
import { eventText, type NostrEvent } from '../../../functions/nostr/event.ts';
import { runOperator } from '../../../functions/operate/program.ts';
import { makeFolder } from '../../support/local/folder.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { openTestPubSub, type TestPubSub } from '../../support/pubsub.ts';
import { runOperate } from '../../support/run-operator.ts';
import { unsigned } from '../../support/unsigned.ts';

let database: TestDatabase;
let pubsub: TestPubSub;
beforeAll(async () => {
  database = await createDatabase();
  await migrate(database.url);
  pubsub = await openTestPubSub(['incoming', 'incoming-dead']);
  await pubsub.client.createSubscription('incoming-dead', 'incoming-dead-replay');
  await pubsub.client.createSubscription('incoming', 'reader');
});
afterAll(async () => {
  await pubsub.remove();
  await database.drop();
});
beforeEach(async () => {
  await database.pool.query('delete from dead_letters');
  await database.pool.query('delete from dead_letter_decisions');
});

const environment = () => ({
  DATABASE_URL: database.url,
  GOOGLE_CLOUD_PROJECT: pubsub.project,
  PUBSUB_EMULATOR_HOST: pubsub.host,
  USER: 'alice',
});
const run = (...args: string[]) => runOperate(['dead-letters', ...args], { env: environment() });

const META = { acceptedAt: 1_000, trace: 't', source: 'client', keys: [] };
const lineOf = (event: NostrEvent) => encodeLines([{ meta: META, text: eventText(event) }]);

/** An event that the database has refused. */
function poison(messageId: string, event: NostrEvent, sqlstate = '23514') {
  const reason = `the database refuses it (${sqlstate})`;
  const attributes = { format: FORMAT, reason, sqlstate };
  return { messageId, reason, sqlstate, attributes, data: lineOf(event) };
}

const unreadable = (messageId: string) => ({
  messageId,
  reason: 'format 999 is not known here',
  sqlstate: undefined,
  attributes: { format: '999', reason: 'format 999 is not known here' },
  data: Buffer.from('from the \0 future'),
});

const bury = (...messages: Parameters<typeof buryMessages>[1]) =>
  buryMessages(database.pool, messages);

const notes = Array.from({ length: 4 }, (_, n) =>
  unsigned({ content: `note ${n}`, author: n + 1 }),
);
const [first, second, third] = notes as [NostrEvent, NostrEvent, NostrEvent];

async function openIds(): Promise<string[]> {
  const listed = (await run('list', '--json')).json() as { letters: { messageId: string }[] };
  return listed.letters.map(({ messageId }) => messageId).sort();
}

/** What was put back on its way. */
async function replayed(count: number) {
  const subscription = pubsub.client.subscription('reader');
  const got: { data: Buffer; attributes: Record<string, string> }[] = [];
  subscription.on('message', (message) => {
    message.ack();
    got.push(message);
    if (got.length === count) subscription.emit('enough');
  });
  await once(subscription, 'enough');
  await subscription.close();
  return got;
}

describe('distrise dead-letters list', () => {
  it('counts what they died of, and names the newest with their events', async () => {
    await bury(
      poison('1', first),
      poison('2', second),
      poison('3', third, '22021'),
      unreadable('4'),
    );
    const { code, stdout } = await run('list');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^4 dead letters in the database; in Pub\/Sub 0 /);
    expect(stdout).toMatch(/ 2 +█+ +23514 .* the database refuses it \(23514\)\n/);
    expect(stdout).toMatch(new RegExp(`\\n1 .*${first.id.slice(0, 16)}`));
    const shown = (await run('list', '--json')).json();
    expect(shown).toMatchObject({
      reasons: [{ letters: 2, sqlstate: '23514' }, { letters: 1 }, { letters: 1 }],
    });
  });

  it.each<[string, string[], string[]]>([
    ['reason', ['--reason', 'FORMAT'], ['4']],
    ['SQLSTATE', ['--sqlstate', '22021'], ['3']],
    ['author', ['--author', npubEncode(second.pubkey)], ['2']],
    ['kind', ['--kind', '1'], ['1', '2', '3']],
    ['age', ['--since', '1h'], ['1', '2', '4']],
    ['several of them', ['--kind', '1', '--since', '1h', '--limit', '1'], ['2']],
  ])('chooses by %s', async (_, args, ids) => {
    await bury(
      poison('1', first),
      poison('2', second),
      poison('3', third, '22021'),
      unreadable('4'),
    );
    await database.pool.query(
      `update dead_letters set buried_at = buried_at - interval '2 hours' where message_id = '3'`,
    );
    const found = (await run('list', ...args, '--json')).json() as {
      letters: { messageId: string }[];
    };
    expect(found.letters.map(({ messageId }) => messageId).sort()).toEqual(ids);
  });

  it('counts what still waits in Pub/Sub too, and leaves it there', async () => {
    const topic = pubsub.client.topic('incoming-dead');
    await topic.publishMessage({ data: lineOf(first), attributes: { format: '1', reason: 'no' } });
    await topic.publishMessage({ data: lineOf(second), attributes: { format: '1' } });
    for (const _ of [1, 2]) {
      expect((await run('list', '--json')).json()).toMatchObject({
        waiting: { forPeople: 1, ofOutage: 1, all: true },
      });
    }
    const puller = await openPuller(pubsub.client, 'incoming-dead-replay');
    const left = await puller.pull(10);
    expect(left).toHaveLength(2);
    await puller.acknowledge(left.map(({ ackId }) => ackId));
    await puller.close();
  });

  it('counts all of them, of however many reasons', async () => {
    await bury(
      ...Array.from({ length: 60 }, (_, n) => ({
        ...unreadable(`m${n}`),
        reason: `format ${n} is not known here`,
      })),
    );
    const { stdout } = await run('list', '--limit', '1');
    expect(stdout).toMatch(/^60 dead letters in the database; /);
    expect(stdout).toMatch(/\nand 10 of reasons that are less frequent\n/);
    expect((await run('list', '--json')).json()).toMatchObject({ total: 60 });
    expect((await run('replay', '--all', '--dry-run')).stdout).toBe(
      '60 letters would be replayed\n',
    );
    expect((await run('discard', '--all', '--why', 'old')).stderr).toMatch(/60 letters would be/);
  });

  it('says so where Pub/Sub cannot be asked', async () => {
    const { stdout } = await runOperate(['dead-letters', 'list'], {
      env: { DATABASE_URL: database.url },
    });
    expect(stdout).toMatch(/were not counted/);
  });
});

describe('distrise dead-letters show', () => {
  it('shows one with what it holds, by the id of its message or of its event', async () => {
    await bury(poison('1', first));
    for (const id of ['1', first.id]) {
      const { code, stdout } = await run('show', id);
      expect(code).toBe(0);
      expect(stdout).toContain(eventText(first));
      expect(stdout).toMatch(/sqlstate +23514\n/);
    }
    expect(await run('show', '99')).toMatchObject({ code: 1 });
  });
});

describe('distrise dead-letters replay', () => {
  it('puts one back into incoming, without what made it a dead letter, and marks it', async () => {
    await bury(poison('1', first), poison('2', second));
    expect(await run('replay', '1', '--why', 'constraint dropped')).toMatchObject({
      code: 0,
      stdout: '1 letter replayed\n',
    });
    const [message] = await replayed(1);
    expect(message?.attributes).toEqual({ format: FORMAT });
    expect(decodeLines(message?.data ?? Buffer.alloc(0), FORMAT)).toMatchObject([
      { event: { id: first.id }, meta: META },
    ]);
    expect(await openIds()).toEqual(['2']);
    const [letter] = (await run('show', '1', '--json')).json() as object[];
    expect(letter).toMatchObject({
      decision: {
        action: 'replayed',
        by: expect.stringMatching(/^alice@/),
        why: 'constraint dropped',
      },
    });
  });

  it('replays all of a filter, in steps', async () => {
    const many = Array.from({ length: 120 }, (_, n) => poison(`m${n}`, first));
    await bury(...many, poison('other', second, '22021'));
    const got = replayed(120);
    expect(await run('replay', '--sqlstate', '23514', '--yes', '--json')).toMatchObject({
      code: 0,
      stdout: '{"action":"replayed","letters":120,"dryRun":false}\n',
    });
    expect(await got).toHaveLength(120);
    expect(await openIds()).toEqual(['other']);
  });

  it('marks nothing that Pub/Sub did not take', async () => {
    await bury(poison('1', first));
    const env = { ...environment(), TOPIC_INCOMING: 'not-there' };
    const failed = await runOperate(['dead-letters', 'replay', '1'], { env });
    expect(failed).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/did not take a letter/),
    });
    expect(await openIds()).toEqual(['1']);
  });

  it('only looks where that is asked, and asks before it takes more than one', async () => {
    await bury(poison('1', first), poison('2', second));
    expect((await run('replay', '--all', '--dry-run')).stdout).toBe(
      '2 letters would be replayed\n',
    );
    expect(await run('replay', '--all')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/2 letters would be replayed: give --yes/),
    });
    expect(await run('replay')).toMatchObject({ code: 2 });
    expect(await run('replay', '99')).toMatchObject({ code: 1 });
    expect(await openIds()).toEqual(['1', '2']);
  });

  it('never publishes into another system than that of the database', async () => {
    await bury(poison('1', first));
    const folder = makeFolder();
    mkdirSync(join(folder.path, 'run'));
    const variables = {
      DATABASE_URL: 'postgresql://u@127.0.0.1:1/other',
      GOOGLE_CLOUD_PROJECT: 'p-1',
    };
    writeFileSync(
      join(folder.path, 'run', 'environment'),
      Object.entries(variables)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
    );
    const env = { DATA_DIR: folder.path, DATABASE_URL: database.url };
    expect(await runOperate(['dead-letters', 'replay', '1'], { env })).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/no Pub\/Sub/),
    });
    folder.remove();
  });
});

describe('distrise dead-letters discard', () => {
  it('erases what they held, and keeps who decided, when and why', async () => {
    await bury(poison('1', first), poison('2', second));
    const { code, stderr } = await run(
      'discard',
      '--kind',
      '1',
      '--why',
      'spam',
      '--yes',
      '--by',
      'Bob',
    );
    expect(code).toBe(0);
    expect(JSON.parse(stderr)).toMatchObject({
      deadLetters: 'discarded',
      letters: 2,
      by: 'Bob',
      why: 'spam',
    });
    expect(await openIds()).toEqual([]);
    const { rows } = await database.pool.query('select * from dead_letter_decisions');
    expect(rows).toMatchObject([
      {
        action: 'discarded',
        by_whom: 'Bob',
        login: expect.any(String),
        why: 'spam',
        filter: { kind: 1 },
        letters: 2,
        decided_at: expect.any(Date),
      },
    ]);
    const { rows: left } = await database.pool.query('select data, event_id from dead_letters');
    expect(left.every(({ data }) => (data as Buffer).length === 0)).toBe(true);
    expect((await run('list', '--decided')).stdout).toContain('discarded');
  });

  it('wants a reason, and a yes of whoever sits there', async () => {
    await bury(poison('1', first), poison('2', second));
    expect(await run('discard', '--all')).toMatchObject({ code: 2 });
    expect(await run('discard', '--all', '--yes', '--why', ' ')).toMatchObject({ code: 2 });
    const asked: string[] = [];
    for (const [answer, code] of [
      ['n', 1],
      ['y', 0],
    ] as const) {
      const sink = { write: (_: string, done?: () => void) => done?.() } as never;
      const got = await runOperator(['dead-letters', 'discard', '--all', '--why', 'old'], {
        env: environment(),
        stdout: { on() {}, off() {}, write: (_: string, done: () => void) => done() } as never,
        stderr: sink,
        nowMs: Date.now,
        ask: async (question) => {
          asked.push(question);
          return answer;
        },
      });
      expect(got).toBe(code);
      expect(await openIds()).toEqual(answer === 'y' ? [] : ['1', '2']);
    }
    expect(asked[0]).toBe('2 letters will be discarded. Go on? [y/N] ');
  });

  it('does not take an empty reason, which is in every one, for a filter', async () => {
    await bury(poison('1', first));
    const all = ['--reason', '', '--why', 'old', '--yes'];
    expect(await run('discard', ...all)).toMatchObject({ code: 2 });
    expect(await openIds()).toEqual(['1']);
  });

  it('is final after a month: the letters go, the decisions stay', async () => {
    await bury(poison('1', first), poison('2', second));
    await run('discard', '1', '--why', 'old');
    expect(await forgetLetters(database.pool, 30)).toBe(0);
    await database.pool.query(
      `update dead_letter_decisions set decided_at = now() - interval '31 days'`,
    );
    expect(await forgetLetters(database.pool, 30)).toBe(1);
    const { rows } = await database.pool.query('select message_id from dead_letters');
    expect(rows).toEqual([{ message_id: '2' }]);
    expect((await database.pool.query('select from dead_letter_decisions')).rowCount).toBe(1);
  });
});
