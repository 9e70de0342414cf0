import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { neventEncode, noteEncode } from 'nostr-tools/nip19';
import { encodeLines, FORMAT } from '../../../functions/cloud/envelope.ts';
import { openLog } from '../../../functions/cloud/log.ts';
import { buryMessages, discardLetters } from '../../../functions/database/dead-letters.ts';
import { migrate } from '../../../functions/database/migrate.ts';
import { addSource } from '../../../functions/database/sources.ts';
import { writeEvents } from '../../../functions/database/write.ts';
import { eventText, type NostrEvent } from '../../../functions/nostr/event.ts';
import { report } from '../../../functions/store/report.ts';
import { journeyInto } from '../../support/journey.ts';
import { makeFolder } from '../../support/local/folder.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { runOperate } from '../../support/run-operator.ts';
import { unsigned } from '../../support/unsigned.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
  await migrate(database.url);
});
afterAll(() => database.drop());

/** Runs the command as against a database in the cloud. */
const run = (...args: string[]) =>
  runOperate(['trace', ...args], {
    env: { DATABASE_URL: database.url, GOOGLE_CLOUD_PROJECT: 'my-project' },
  });

const write = (event: NostrEvent, seen?: { seenAt: number; seenFrom?: number }) =>
  writeEvents(database.pool, [{ event, text: eventText(event), ...(seen && { seen }) }]);

const bury = (event: NostrEvent) =>
  buryMessages(database.pool, [
    {
      messageId: `m-${event.id.slice(0, 8)}`,
      reason: 'the database refuses it (23514)',
      sqlstate: '23514',
      attributes: { format: FORMAT },
      data: encodeLines([{ meta: {}, text: eventText(event) }]),
    },
  ]);

describe('distrise trace', () => {
  it('says from the row alone when an event was accepted, from where, and when stored', async () => {
    const source = await addSource(database.pool, {
      url: 'wss://relay.example/',
      origin: 'configured',
    });
    for (const kind of [1, 0]) {
      const event = unsigned({ kind, content: 'a row' });
      const seenAt = Date.now() - 1_500;
      await write(event, { seenAt, seenFrom: source.id });
      const found = (await run(event.id, '--json')).json() as Record<string, number>;
      expect(found).toMatchObject({
        id: event.id,
        trace: event.id.slice(0, 32),
        state: 'stored',
        kind,
        source: 'wss://relay.example/',
        acceptedAt: seenAt,
        steps: [
          { step: 'accepted', by: 'database', detail: { source: 'wss://relay.example/' } },
          { step: 'stored', by: 'database', detail: { delayMs: found['delayMs'] } },
        ],
      });
      expect(found['delayMs']).toBeGreaterThanOrEqual(1_500);
    }
  });

  it('gives a newer version a time of its own', async () => {
    const versions = [1, 2].map((n) => unsigned({ kind: 0, author: 7, created_at: n }));
    const times: number[] = [];
    for (const version of versions) {
      await write(version, { seenAt: 5 });
      const { storedAt } = (await run(version.id, '--json')).json() as { storedAt: number };
      times.push(storedAt);
      await database.pool.query('update kept set stored_at = 77 where author = $1', [
        version.pubkey.slice(0, 32),
      ]);
    }
    expect(times[1]).toBeGreaterThan(77);
  });

  it('is a table for people, with every form of the id', async () => {
    const event = unsigned({ content: 'a table' });
    await write(event, { seenAt: Date.UTC(2026, 0, 2, 3, 4, 5, 678) });
    for (const form of [event.id, noteEncode(event.id), neventEncode({ id: event.id })]) {
      const { code, stdout } = await run(form);
      expect(code).toBe(0);
      expect(stdout).toMatch(/^event +[0-9a-f]{64}\nstate +stored, \d+ ms after it was accepted\n/);
      expect(stdout).toMatch(
        /TIME \(UTC\) +AFTER +STEP +SAID BY +DETAIL\n2026-01-02 03:04:05\.678 +0 ms +accepted +database +source=client\n/,
      );
    }
  });

  it('names the command that finds log lines in the cloud, and reads what that wrote', async () => {
    const event = unsigned({ content: 'in the cloud' });
    await write(event, { seenAt: 1_700_000_000_000 });
    const { stdout } = await run(event.id);
    expect(stdout).toContain(
      `gcloud logging read '(trace="projects/my-project/traces/${event.id.slice(0, 32)}" OR ` +
        `jsonPayload.event="${event.id}" OR jsonPayload.ids="${event.id}") AND ` +
        `timestamp>="2023-11-14T21:13:20.000Z"' --project=my-project --order=asc --format=json`,
    );
    const folder = makeFolder();
    const file = join(folder.path, 'lines.json');
    const entry = {
      timestamp: '2023-11-14T22:13:20.050Z',
      severity: 'INFO',
      labels: { component: 'relay', instance: 'ab' },
      jsonPayload: {
        message: 'event published',
        event: event.id,
        step: 'published',
        messageId: '7',
      },
    };
    writeFileSync(file, JSON.stringify([entry, { textPayload: 'else' }]));
    const { steps } = (await run(event.id, '--logs', file, '--json')).json() as { steps: object[] };
    expect(steps[1]).toMatchObject({
      step: 'published',
      by: 'relay ab',
      detail: { messageId: '7' },
    });
    expect(await run(event.id, '--logs', join(folder.path, 'none'))).toMatchObject({ code: 4 });
    folder.remove();
  });

  it('reads the logs of a system on this machine, in the order of their times', async () => {
    const event = unsigned({ content: 'local' });
    await write(event, { seenAt: 1_000 });
    const folder = makeFolder();
    for (const name of ['run', 'log']) mkdirSync(join(folder.path, name));
    writeFileSync(join(folder.path, 'run', 'environment'), `DATABASE_URL=${database.url}\n`);
    const files = { 'relay-0.log': '', 'store.log.1': '' };
    for (const [file, component] of [
      ['relay-0.log', 'relay'],
      ['store.log.1', 'store'],
    ] as const) {
      const log = openLog(
        { level: 'info', format: 'json', component },
        {
          write: (line) => {
            files[file] += line;
          },
        },
      );
      const journey = journeyInto(log, 1);
      journey.step(component === 'relay' ? 'received' : 'stored', event.id, { outcome: 'stored' });
      journey.step('received', 'f'.repeat(64), {});
      log.error('events unavailable', { ids: [event.id, 'x'], attempt: 3 });
    }
    for (const [file, text] of Object.entries(files)) {
      writeFileSync(join(folder.path, 'log', file), `not JSON ${event.id}\n${text}`);
    }
    const found = await runOperate(['trace', event.id, '--json', '--data', folder.path]);
    const { steps, logs } = found.json() as {
      steps: { at: string; step: string; by: string; detail: object }[];
      logs: object;
    };
    expect(logs).toEqual({ folder: join(folder.path, 'log'), lines: 4 });
    expect(steps.map(({ at }) => at)).toEqual(steps.map(({ at }) => at).sort());
    const said = steps.map(({ step, by }) => `${step} ${by}`);
    expect(said.sort()).toEqual([
      'accepted database',
      'events unavailable relay-0',
      'events unavailable store',
      'received relay-0',
      'stored database',
      'stored store',
    ]);
    folder.remove();
  });

  it('says plainly when nothing is known of an id', async () => {
    const { code, stdout } = await run('e'.repeat(64));
    expect(code).toBe(1);
    expect(stdout).toMatch(/state +nothing is known of this id/);
    expect(await run('hello')).toMatchObject({ code: 2 });
  });
});

describe('distrise trace of an event that is not there', () => {
  it('shows its dead letter, and what was decided about it', async () => {
    const event = unsigned({ content: 'poison' });
    await bury(event);
    expect((await run(event.id)).stdout).toMatch(
      /state +not stored, a dead letter: the database refuses it \(23514\) \(distrise dead-letters show m-/,
    );
    await discardLetters(database.pool, { id: event.id }, 1, { by: 'Bob', why: 'spam' });
    expect((await run(event.id, '--json')).json()).toMatchObject({
      state: 'discarded',
      steps: [
        { step: 'dead letter', detail: { sqlstate: '23514' } },
        { step: 'discarded', detail: { operator: 'Bob', why: 'spam' } },
      ],
    });
  });

  it('names the request that deleted it', async () => {
    const event = unsigned({ content: 'to be deleted' });
    const request = unsigned({ kind: 5, tags: [['e', event.id]] });
    await write(event);
    await write(request);
    const found = (await run(event.id, '--json')).json();
    expect(found).toMatchObject({
      state: 'deleted',
      deletedBy: request.id,
      deletionRequests: [{ id: request.id, author: event.pubkey }],
      steps: [{ step: 'stored' }, { step: 'removed' }],
    });
  });

  it('does not take a stranger’s request for a deletion where it is stored', async () => {
    const event = unsigned({ content: 'stays', author: 1 });
    await write(unsigned({ kind: 5, author: 2, tags: [['e', event.id]] }));
    await write(event);
    expect((await run(event.id, '--json')).json()).toMatchObject({ state: 'stored' });
  });

  it('names the version that took its place', async () => {
    const [older, newer] = [1, 2].map((n) => unsigned({ kind: 0, author: 9, created_at: n })) as [
      NostrEvent,
      NostrEvent,
    ];
    await write(older);
    await write(newer);
    expect((await run(older.id, '--json')).json()).toMatchObject({
      state: 'superseded',
      supersededBy: newer.id,
    });
  });
});

/** Versions of one profile or article, the oldest first. */
const versionsOf = (kind: number, author: number, tags: string[][] = []) =>
  [1, 2, 3].map((n) => unsigned({ kind, author, tags, created_at: n })) as [
    NostrEvent,
    NostrEvent,
    NostrEvent,
  ];

describe('distrise trace of an event whose end is not certain', () => {
  it('says of a version that was superseded by one that is gone too what it may have been', async () => {
    const [first, second, third] = versionsOf(0, 10);
    for (const version of [first, second, third]) await write(version);
    expect((await run(first.id, '--json')).json()).toMatchObject({
      state: 'removed',
      possibleCauses: ['superseded', 'deleted by address'],
    });
    expect((await run(first.id)).stdout).toMatch(
      /\nstate +it was stored and is gone: superseded or deleted by address\n/,
    );
    expect((await run(second.id, '--json')).json()).toMatchObject({ supersededBy: third.id });
  });

  it('says the same of one that was deleted by its address', async () => {
    const [article] = versionsOf(30_023, 11, [['d', 'x']]);
    await write(article);
    await write(
      unsigned({
        kind: 5,
        author: 11,
        created_at: 9,
        tags: [['a', `30023:${article.pubkey}:x`]],
      }),
    );
    expect((await run(article.id, '--json')).json()).toMatchObject({
      state: 'removed',
      possibleCauses: ['superseded', 'deleted by address'],
    });
  });

  it('leaves every cause open where the log does not reach back to its kind', async () => {
    const [first, second, third] = versionsOf(0, 12);
    for (const version of [first, second, third]) await write(version);
    await database.pool.query("delete from changes where id = $1 and what = 'a'", [first.id]);
    expect((await run(first.id, '--json')).json()).toMatchObject({
      state: 'removed',
      possibleCauses: ['superseded', 'deleted by address', 'dropped by retention'],
    });
  });

  it('is dropped by retention where a note was added and nothing removed it', async () => {
    const event = unsigned({ content: 'of a month that was dropped' });
    await write(event);
    await database.pool.query('delete from events where text = $1', [eventText(event)]);
    expect((await run(event.id, '--json')).json()).toMatchObject({
      state: 'removed',
      possibleCauses: ['dropped by retention'],
    });
  });

  it('does not take anybody’s request for the deletion of an event that was never seen', async () => {
    const id = 'd'.repeat(64);
    const request = unsigned({ kind: 5, author: 2, tags: [['e', id]] });
    await write(request);
    const { code, stdout } = await run(id);
    expect(code).toBe(1);
    expect(stdout).toContain(
      `; deleted, if ${request.pubkey} is its author: request ${request.id}`,
    );
    expect((await run(id, '--json')).json()).toMatchObject({
      state: 'unknown',
      deletionRequests: [{ id: request.id }],
    });
  });

  it('does not take it for the deletion of an event under way', async () => {
    const event = unsigned({ content: 'under way' });
    await write(unsigned({ kind: 5, author: 2, tags: [['e', event.id]] }));
    const folder = makeFolder();
    const file = join(folder.path, 'lines.json');
    const line = { event: event.id, step: 'received', policy: 'passed' };
    writeFileSync(file, JSON.stringify([{ timestamp: '2026-01-02T03:04:05Z', jsonPayload: line }]));
    expect((await run(event.id, '--logs', file, '--json')).json()).toMatchObject({
      state: 'under way',
    });
    folder.remove();
  });

  it('is refused where only the line about all events of its message says so', async () => {
    const folder = makeFolder();
    const file = join(folder.path, 'lines.json');
    const lines: object[] = [];
    const log = openLog(
      { level: 'info', format: 'json', component: 'store' },
      { write: (line) => void lines.push({ jsonPayload: JSON.parse(line) }) },
    );
    const fates = Array.from({ length: 500 }, (_, n) => ({
      outcome: 'refused' as const,
      id: unsigned({ content: `forged ${n}` }).id,
      reason: 'id or signature is not true',
    }));
    report(fates, undefined, 1, { log, journey: journeyInto(log, 0), nowMs: () => 5 });
    writeFileSync(
      file,
      JSON.stringify(lines.map((line) => ({ timestamp: '2026-01-02T03:04:05Z', ...line }))),
    );
    const traced = (await run(fates.at(-1)?.id ?? '', '--logs', file, '--json')).json();
    expect(traced).toMatchObject({
      state: 'refused',
      steps: [{ step: 'events refused', detail: { reasons: ['id or signature is not true'] } }],
    });
    folder.remove();
  });

  it('does not take it for the deletion of a version that went in the same batch', async () => {
    const [first, second, third] = versionsOf(0, 13);
    await write(first);
    const request = unsigned({ kind: 5, author: 2, tags: [['e', first.id]] });
    await writeEvents(
      database.pool,
      [request, second].map((event) => ({ event, text: eventText(event) })),
    );
    await write(third);
    expect((await run(first.id, '--json')).json()).toMatchObject({
      state: 'removed',
      possibleCauses: ['superseded', 'deleted by address', 'deleted by id'],
    });
  });

  it('is deleted by the request of its author where a dead letter names him', async () => {
    const event = unsigned({ content: 'replayed after its deletion', author: 3 });
    const requests = [2, 3].map((author) =>
      unsigned({ kind: 5, author, tags: [['e', event.id]] }),
    ) as [NostrEvent, NostrEvent];
    for (const request of requests) await write(request);
    await bury(event);
    await discardLetters(database.pool, { id: event.id }, 1, { by: 'Bob', why: 'spam' });
    expect((await run(event.id, '--json')).json()).toMatchObject({
      state: 'deleted',
      deletedBy: requests[1].id,
    });
  });
});
