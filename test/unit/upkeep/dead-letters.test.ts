import { encodeLines, FORMAT } from '../../../functions/cloud/envelope.ts';
import { Registry } from '../../../functions/cloud/metrics/registry.ts';
import { buryMessages } from '../../../functions/database/dead-letters.ts';
import { migrate } from '../../../functions/database/migrate.ts';
import { eventText } from '../../../functions/nostr/event.ts';
import { parseUpkeepConfiguration } from '../../../functions/upkeep/configuration.ts';
import { deadLetterPorts } from '../../../functions/upkeep/dead-letters.ts';
import { countOf } from '../../support/metrics.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { openTestPubSub, type TestPubSub } from '../../support/pubsub.ts';
import { unsigned } from '../../support/unsigned.ts';

let database: TestDatabase;
let pubsub: TestPubSub;
beforeAll(async () => {
  database = await createDatabase();
  await migrate(database.url);
  pubsub = await openTestPubSub(['incoming']);
});
afterAll(async () => {
  await pubsub.remove();
  await database.drop();
});
beforeEach(() => database.pool.query('delete from dead_letters'));

const WHO = { by: 'alice', why: 'a test' };

/** What an operator's call reaches, and what it has counted. */
function open(environment: Readonly<Record<string, string>> = {}) {
  const configuration = parseUpkeepConfiguration({
    DATABASE_URL: database.url,
    GOOGLE_CLOUD_PROJECT: pubsub.project,
    PUBSUB_EMULATOR_HOST: pubsub.host,
    ...environment,
  });
  if (!configuration.ok) throw new Error(configuration.reason);
  const metrics = new Registry('upkeep');
  const ports = deadLetterPorts(database.pool, pubsub.client, configuration.value, metrics);
  const counted = (action: string) => countOf(metrics, 'dead_letters_total', { action });
  return { ports, counted };
}

const bury = (count: number) =>
  buryMessages(
    database.pool,
    Array.from({ length: count }, (_, n) => ({
      messageId: `m${n}`,
      reason: `reason ${n}`,
      sqlstate: undefined,
      attributes: { format: FORMAT },
      data: encodeLines([{ meta: {}, text: eventText(unsigned({ content: `${n}` })) }]),
    })),
  );

describe('an operator’s call of upkeep', () => {
  it('counts what was replayed and what was discarded', async () => {
    await bury(3);
    const { ports, counted } = open();
    expect(await ports.replay({ id: 'm0' }, 10, WHO)).toBe(1);
    expect(await ports.discard({}, 10, WHO)).toBe(2);
    expect(await ports.discard({}, 10, WHO)).toBe(0);
    expect([counted('replayed'), counted('discarded')]).toEqual([1, 2]);
  });

  it('counts nothing as replayed that Pub/Sub did not take', async () => {
    await bury(1);
    const { ports, counted } = open({ TOPIC_INCOMING: 'not-there' });
    await expect(ports.replay({}, 10, WHO)).rejects.toThrow();
    expect(counted('replayed')).toBe(0);
  });

  it('lists how many there are, of however many reasons', async () => {
    await bury(60);
    expect(await open().ports.list({}, 1)).toMatchObject({
      total: 60,
      letters: [expect.objectContaining({ reason: expect.any(String) })],
    });
  });
});
