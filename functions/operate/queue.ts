import { z } from 'zod';
import { parseConfiguration, pubsubVariables } from '../cloud/configuration.ts';
import { openPubSub, openRawPublisher } from '../cloud/pubsub.ts';
import { peek } from '../cloud/pull.ts';
import { type DatabaseOptions, databaseEnvironment } from './database.ts';
import { CommandFailure, EXIT } from './exit.ts';
import type { Surroundings } from './surroundings.ts';

/** The queue that belongs to the database in use. */
export interface Queue {
  /** Puts a message into `incoming`; resolves when Pub/Sub has it. */
  publish(data: Buffer, attributes: Readonly<Record<string, string>>): Promise<unknown>;
  /** What waits in `incoming-dead` for upkeep; undefined where it cannot be told. */
  waiting(): Promise<Waiting | undefined>;
  close(): Promise<void>;
}

export interface Waiting {
  /** What store has put there, and upkeep will bring into the database. */
  readonly forPeople: number;
  /** What Pub/Sub has put there after too many attempts; upkeep will publish it anew. */
  readonly ofOutage: number;
  /** False where there may be more. */
  readonly all: boolean;
}

const PUBLISH_TIMEOUT_MS = 10_000;
const COUNTED_MAX = 1_000;

export const QUEUE_HELP = `
Pub/Sub: that of the system on this machine where its database is used, else the project in
GOOGLE_CLOUD_PROJECT (with PUBSUB_EMULATOR_HOST where that is set).`;

/** Opens the queue; undefined where nothing says which one. */
export function openQueue(options: DatabaseOptions, surroundings: Surroundings): Queue | undefined {
  const configuration = parseConfiguration(
    z.object(pubsubVariables),
    databaseEnvironment(options, surroundings.env),
  );
  if (!configuration.ok) return undefined;
  const { TOPIC_INCOMING, TOPIC_INCOMING_DEAD } = configuration.value;
  const pubsub = openPubSub(configuration.value);
  const incoming = openRawPublisher(pubsub, TOPIC_INCOMING);
  return {
    async publish(data, attributes) {
      try {
        return await incoming.publish(data, attributes, PUBLISH_TIMEOUT_MS);
      } catch (error) {
        const said = error instanceof Error ? error.message : String(error);
        throw new CommandFailure(EXIT.unreachable, `Pub/Sub did not take a letter: ${said}`, error);
      }
    },
    async waiting() {
      try {
        const found = await peek(pubsub, `${TOPIC_INCOMING_DEAD}-replay`, COUNTED_MAX);
        const forPeople = found.messages.filter(({ attributes }) => 'reason' in attributes).length;
        return { forPeople, ofOutage: found.messages.length - forPeople, all: found.all };
      } catch {
        // No right to look, or no such subscription: the database alone can tell, then.
        return undefined;
      }
    },
    async close() {
      await incoming.close();
      await pubsub.close();
    },
  };
}
