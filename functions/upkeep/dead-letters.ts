import type { Metrics } from '../cloud/metrics/registry.ts';
import type { Postgres } from '../cloud/postgres.ts';
import { type openPubSub, openRawPublisher } from '../cloud/pubsub.ts';
import { openPuller } from '../cloud/pull.ts';
import * as letters from '../database/dead-letters.ts';
import type { UpkeepConfiguration } from './configuration.ts';
import type { DeadLetterPorts } from './dead-letter-call.ts';
import { JOB_DEADLINE_MS, type Job } from './jobs.ts';
import { replayDeadLetters } from './replay.ts';

type Pool = Postgres['pool'];
type PubSub = ReturnType<typeof openPubSub>;

const PULL_MAX = 100;
const PUBLISH_TIMEOUT_MS = 10_000;
/** Dead letters that an operator has decided about can be looked at for so long. */
const DECIDED_LETTERS_DAYS = 30;

/** Gives messages that could not be stored their second chance, and puts away the rest. */
export function deadLetters(
  pool: Pool,
  pubsub: PubSub,
  configuration: UpkeepConfiguration,
  metrics: Metrics,
): Job {
  return {
    name: 'dead letters',
    deadlineMs: JOB_DEADLINE_MS,
    async run(signal) {
      const dead = await openPuller(pubsub, `${configuration.TOPIC_INCOMING_DEAD}-replay`);
      const incoming = openRawPublisher(pubsub, configuration.TOPIC_INCOMING);
      try {
        return {
          ...(await replayDeadLetters(
            {
              pull: () => dead.pull(PULL_MAX),
              publish: (data, attributes) => incoming.publish(data, attributes, PUBLISH_TIMEOUT_MS),
              bury: (messages) => letters.buryMessages(pool, messages),
              acknowledge: (ackIds) => dead.acknowledge(ackIds),
              metrics,
            },
            { messagesMax: configuration.DEAD_LETTERS_PER_RUN, signal },
          )),
          forgotten: await letters.forgetLetters(pool, DECIDED_LETTERS_DAYS),
        };
      } finally {
        await Promise.all([dead.close(), incoming.close()]);
      }
    },
  };
}

/**
 * What an operator's call reaches: the letters that were put away, and the way back. What is decided
 * is counted; the command line, which writes no metrics, decides without that.
 */
export function deadLetterPorts(
  pool: Pool,
  pubsub: PubSub,
  { TOPIC_INCOMING }: UpkeepConfiguration,
  metrics: Metrics,
): DeadLetterPorts {
  const replayed = metrics.counter('dead_letters_total', { action: 'replayed' });
  const discarded = metrics.counter('dead_letters_total', { action: 'discarded' });
  return {
    async list(filter, limit) {
      const [total, reasons, found] = await Promise.all([
        letters.countLetters(pool, filter),
        letters.countReasons(pool, filter),
        letters.listLetters(pool, filter, limit),
      ]);
      return { total, reasons, letters: found };
    },
    async show(id) {
      const found = await letters.readLetters(pool, id);
      return found.map(({ data, ...rest }) => ({ ...rest, data: data.toString('utf8') }));
    },
    async replay(filter, limit, who) {
      const incoming = openRawPublisher(pubsub, TOPIC_INCOMING);
      try {
        return await letters.replayLetters(pool, filter, limit, who, async (data, attributes) => {
          await incoming.publish(data, attributes, PUBLISH_TIMEOUT_MS);
          // Here, since where a later one fails those before it have gone all the same.
          replayed.add();
        });
      } finally {
        await incoming.close();
      }
    },
    async discard(filter, limit, who) {
      const count = await letters.discardLetters(pool, filter, limit, who);
      discarded.add(count);
      return count;
    },
  };
}
