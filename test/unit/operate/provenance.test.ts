import { neventEncode, noteEncode } from 'nostr-tools/nip19';
import { migrate } from '../../../functions/database/migrate.ts';
import { addSource } from '../../../functions/database/sources.ts';
import { writeEvents } from '../../../functions/database/write.ts';
import { eventText } from '../../../functions/nostr/event.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { runOperate } from '../../support/run-operator.ts';
import { unsigned } from '../../support/unsigned.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
  await migrate(database.url);
});
afterAll(() => database.drop());

const SEEN_AT = 1_700_000_100_000;
const run = (...args: string[]) =>
  runOperate(['provenance', ...args], {
    env: { DATABASE_URL: database.url },
    nowMs: SEEN_AT + 3_600_000,
  });

describe('distrise provenance', () => {
  it('says where an event was first seen, and when, for every form of its id', async () => {
    const url = 'wss://relay.example/';
    const { id: seenFrom } = await addSource(database.pool, { url, origin: 'configured' });
    const event = unsigned({ created_at: 1_700_000_000 });
    const seen = { seenFrom, seenAt: SEEN_AT };
    await writeEvents(database.pool, [{ event, text: eventText(event), seen }]);
    expect(await run(event.id)).toMatchObject({
      code: 0,
      stdout: [
        `event    ${event.id}`,
        'kind     1',
        'created  2023-11-14 22:13:20 UTC',
        `from     ${url}`,
        'seen     2023-11-14 22:15:00 UTC (1h ago)',
        '',
      ].join('\n'),
    });
    for (const form of [noteEncode(event.id), neventEncode({ id: event.id })]) {
      expect((await run(form, '--json')).json()).toEqual({
        id: event.id,
        kind: 1,
        createdAt: 1_700_000_000,
        source: url,
        seenAt: SEEN_AT,
      });
    }
  });

  it('says that of clients and of earlier versions too', async () => {
    const event = unsigned({ content: 'old' });
    await writeEvents(database.pool, [{ event, text: eventText(event) }]);
    expect((await run(event.id)).stdout).toMatch(/from +client\nseen +not known/);
  });

  it('tells an event that is not there from what is no id', async () => {
    expect(await run('f'.repeat(64))).toMatchObject({ code: 1, stdout: '' });
    expect(await run('hello')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('no event id: hello'),
    });
  });

  it('explains itself', async () => {
    const { code, stdout } = await run('--help');
    expect(code).toBe(0);
    expect(stdout).toMatch(/Examples:\n {2}/);
  });
});
