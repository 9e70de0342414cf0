import {
  buryMessages,
  discardLetters,
  replayLetters,
} from '../../../functions/database/dead-letters.ts';
import { readFigures } from '../../../functions/database/figures.ts';
import { migrate } from '../../../functions/database/migrate.ts';
import { monthAt } from '../../../functions/database/months.ts';
import { makeMonth } from '../../../functions/database/partitions.ts';
import { writeEvents } from '../../../functions/database/write.ts';
import { eventText } from '../../../functions/nostr/event.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { unsigned } from '../../support/unsigned.ts';
import { until } from '../../support/until.ts';

let database: TestDatabase;
beforeEach(async () => {
  database = await createDatabase();
  await migrate(database.url);
});
afterEach(() => database.drop());

const store = async (count: number): Promise<void> => {
  const notes = Array.from({ length: count }, (_, n) => unsigned({ content: `${n}` }));
  const profile = unsigned({ kind: 0 });
  const events = [...notes, profile].map((event) => ({ event, text: eventText(event) }));
  await writeEvents(database.pool, events);
};

describe('the figures of the database', () => {
  it('estimate the stored events of all partitions and the kept ones', async () => {
    await makeMonth(database.pool, monthAt(1_700_000_000));
    await store(30);
    await database.pool.query('vacuum analyze');
    expect(await readFigures(database.pool)).toMatchObject({ storedEvents: 31 });
  });

  it('estimate them before anybody has analysed a table', async () => {
    await store(30);
    // Statistics are handed in when a connection has been idle for a moment.
    const estimate = async () => (await readFigures(database.pool)).storedEvents;
    await until(async () => (await estimate()) === 31, { what: 'the estimate to be 31' });
  });

  it('count partitions with both catch-alls, and bytes', async () => {
    await makeMonth(database.pool, monthAt(1_700_000_000));
    const { partitions, databaseBytes } = await readFigures(database.pool);
    expect(partitions).toBe(3);
    expect(databaseBytes).toBeGreaterThan(1_000_000);
  });

  it('count the dead letters that wait', async () => {
    expect(await readFigures(database.pool)).toMatchObject({ deadLetters: 0 });
    const message = { reason: 'r', sqlstate: undefined, attributes: {}, data: Buffer.from('x') };
    const messages = ['1', '2'].map((messageId) => ({ messageId, ...message }));
    await buryMessages(database.pool, messages);
    expect(await readFigures(database.pool)).toMatchObject({ deadLetters: 2 });
  });

  it('count no dead letter that somebody has decided about', async () => {
    const message = { reason: 'r', sqlstate: undefined, attributes: {}, data: Buffer.from('x') };
    const messages = ['1', '2', '3'].map((messageId) => ({ messageId, ...message }));
    await buryMessages(database.pool, messages);
    const deciding = { by: 'somebody', why: 'a test' };
    await discardLetters(database.pool, { id: '1' }, 10, deciding);
    await replayLetters(database.pool, { id: '2' }, 10, deciding, async () => undefined);
    expect(await readFigures(database.pool)).toMatchObject({ deadLetters: 1 });
  });
});
