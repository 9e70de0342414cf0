import { migrate } from '../../../functions/database/migrate.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { runOperate } from '../../support/run-operator.ts';
import { signedEvent } from '../../support/signed-events.ts';
import { type SmallRelayOptions, startSmallRelay } from '../../support/small-relay.ts';

const answersNegentropy = (verb: string, words: string): SmallRelayOptions => ({
  instead([said, id], client) {
    if (said === 'NEG-OPEN') client.send([verb, id, words]);
    return String(said).startsWith('NEG-');
  },
});

describe('distrise sources probe', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase();
    await migrate(database.url);
  });
  afterAll(() => database.drop());

  it('shows what it found without a database, as facts and as JSON', async () => {
    const relay = await startSmallRelay(
      [signedEvent({ created_at: 1_700_000_000 })],
      answersNegentropy('NEG-ERR', 'unsupported: off'),
    );
    const shown = await runOperate(['sources', 'probe', relay.url]);
    const json = await runOperate(['sources', 'probe', relay.url, '--events', '1', '--json']);
    await relay.close();
    expect(shown.code).toBe(0);
    expect(shown.stdout).toMatch(/opened in +\d+ ms\n/);
    expect(shown.stdout).toMatch(/events +1, newest \d+d ago\n/);
    expect(shown.stdout).toMatch(/NIP-77 +no\nverdict +works\n$/);
    expect(json.json()).toMatchObject({ url: `${relay.url}/`, events: 1 });
  });

  it('ends with the code for what cannot be reached', async () => {
    const { code, stdout } = await runOperate(['sources', 'probe', 'ws://127.0.0.1:1']);
    expect(code).toBe(3);
    expect(stdout).toMatch(/verdict +cannot reach/);
  });

  it('notes what it found with a paused source, of which it says nothing else', async () => {
    const relay = await startSmallRelay(
      [signedEvent()],
      answersNegentropy('NEG-ERR', 'blocked: not now'),
    );
    const env = { DATABASE_URL: database.url };
    const probe = (...more: string[]) =>
      runOperate(['sources', 'probe', relay.url, '--save', ...more], { env });
    const list = async () => (await runOperate(['sources', 'list'], { env })).stdout;
    expect((await probe()).stdout).toMatch(/\nsource +1, paused\n$/);
    expect(await list()).toMatch(
      /paused .* probe .* probed; resume to fetch; opens in \d+ ms, NIP-77\n/,
    );
    await runOperate(['sources', 'resume', '1'], { env });
    expect((await probe('--json')).json()).toMatchObject({ source: { id: 1, state: 'active' } });
    await relay.close();
    expect(await probe()).toMatchObject({ code: 3 });
    const [source] = (await runOperate(['sources', 'list', '--json'], { env })).json() as object[];
    expect(source).toMatchObject({
      state: 'active',
      nip77: true,
      probe: { failure: expect.stringContaining('cannot reach'), at: expect.any(String) },
    });
    expect(source).not.toMatchObject({ probe: { openMs: expect.anything() } });
  });
});
