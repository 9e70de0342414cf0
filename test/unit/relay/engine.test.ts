import { Registry } from '../../../functions/cloud/metrics/registry.ts';
import { migrate } from '../../../functions/database/migrate.ts';
import { eventText } from '../../../functions/nostr/event.ts';
import { openEngine } from '../../../functions/relay/engine.ts';
import { quietJourney } from '../../support/journey.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { silentLog } from '../../support/pubsub.ts';
import { configurationOf } from '../../support/relay-server.ts';
import { type PublishAnswer, startScriptedPubSub } from '../../support/scripted-pubsub.ts';
import { unsigned } from '../../support/unsigned.ts';
import { until } from '../../support/until.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
  await migrate(database.url);
});
afterAll(() => database.drop());

/** An engine on a Pub/Sub that takes no event before `answer` is called. */
async function engineThatWaits() {
  const asked: string[] = [];
  const deleted: string[] = [];
  let answer = (_: PublishAnswer) => {};
  const answered = new Promise<PublishAnswer>((resolve) => (answer = resolve));
  const pubsub = await startScriptedPubSub({
    publish({ topic }) {
      asked.push(topic);
      return answered;
    },
    deleted: (subscription) => deleted.push(subscription),
  });
  const configuration = configurationOf({
    DATABASE_URL: database.url,
    PUBSUB_EMULATOR_HOST: pubsub.host,
    PUBLISH_DEADLINE_MS: '60000',
  });
  const metrics = new Registry('relay');
  const engine = await openEngine(configuration, {
    log: silentLog,
    metrics,
    journey: quietJourney,
    onBudget: () => undefined,
  });
  return { engine, pubsub, asked, deleted, answer: () => answer('ok') };
}

describe('the engine of a relay instance', () => {
  it('deletes its subscription when it stops, also while Pub/Sub takes no event', async () => {
    const { engine, pubsub, asked, deleted, answer } = await engineThatWaits();
    const event = unsigned();
    const origin = { trace: 'trace', source: 'client', keys: [] };
    const verdict = engine.publish(event, eventText(event), origin);
    await until(() => asked.length === 1, { what: 'the publish' });
    const stopped = engine.stop();
    await until(() => deleted.length === 1, { what: 'the end of the subscription' });
    expect(deleted[0]).toMatch(/\/subscriptions\/relay-/);
    // What waited is still taken, and told, before the engine is gone.
    answer();
    expect(await verdict).toMatchObject({ accepted: true });
    await stopped;
    pubsub.close();
  });
});
