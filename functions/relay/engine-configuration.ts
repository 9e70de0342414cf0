import { z } from 'zod';
import {
  type LogConfiguration,
  type PostgresConfiguration,
  type PubSubConfiguration,
  type ReplicaConfiguration,
  wholeNumber,
} from '../cloud/configuration.ts';

/** The variables of the relay's data side, to be spread into the relay's schema. */
export const engineVariables = {
  WINDOW_EVENTS_MAX: wholeNumber(0, 10_000_000, 50_000).describe(
    'newest stored events kept in memory: 0 (no window) to 10000000',
  ),
  WINDOW_BYTES_MAX: wholeNumber(0, 64_000_000_000, 268_435_456).describe(
    'memory that the window may take, about, in bytes: 0 to 64000000000',
  ),
  PENDING_BYTES_MAX: wholeNumber(1_048_576, 16_000_000_000, 134_217_728).describe(
    'memory for accepted events that the database has not confirmed, in bytes; when it is full, ' +
      'EVENT is refused: 1048576 to 16000000000',
  ),
  CHANGES_POLL_MS: wholeNumber(100, 60_000, 2_000).describe(
    'milliseconds between two reads of the changes log: 100 to 60000',
  ),
  PUBLISH_DEADLINE_MS: wholeNumber(100, 60_000, 10_000).describe(
    'milliseconds that Pub/Sub has to acknowledge an event: 100 to 60000',
  ),
  PUBLISH_SLOTS: wholeNumber(1, 64, 2).describe('publishes to Pub/Sub under way at once: 1 to 64'),
  QUERY_DEADLINE_MS: wholeNumber(100, 600_000, 10_000).describe(
    'milliseconds that the stored answer to a REQ may take, waiting included: 100 to 600000',
  ),
  LIMIT_DEFAULT: wholeNumber(1, 100_000, 500).describe(
    'stored events that answer a filter without a limit: 1 to LIMIT_MAX',
  ),
  LIMIT_MAX: wholeNumber(1, 100_000, 1_000).describe(
    'stored events that answer one filter, a larger limit is lowered to this: 1 to 100000',
  ),
  REQUEST_EVENTS_MAX: wholeNumber(1, 1_000_000, 5_000).describe(
    'stored events that answer one REQ: LIMIT_MAX to 1000000',
  ),
  ANSWER_BYTES_MAX: wholeNumber(1_048_576, 1_073_741_824, 67_108_864).describe(
    'bytes that the database may give for one REQ: 1048576 to 1073741824',
  ),
  ANSWERS_BYTES_MAX: wholeNumber(1_048_576, 17_179_869_184, 268_435_456).describe(
    'bytes that the database may give for all REQs under way: ANSWER_BYTES_MAX to 17179869184',
  ),
  REPLICA_LAG_SECONDS: wholeNumber(1, 3_600, 30).describe(
    'seconds that a read replica may be behind; what happened in them is kept in memory, and ' +
      'further behind it is not asked: 1 to 3600',
  ),
  REPLICA_LAG_BYTES_MAX: wholeNumber(1_048_576, 16_000_000_000, 67_108_864).describe(
    'memory for that, about, in bytes; when it is full, less lag is allowed: 1048576 to 16000000000',
  ),
};

const engineSchema = z.object(engineVariables);

/** What the engine needs of the relay's configuration. */
export type EngineConfiguration = z.infer<typeof engineSchema> &
  PostgresConfiguration &
  ReplicaConfiguration &
  PubSubConfiguration &
  Pick<LogConfiguration, 'LOG_TRACE_SAMPLE'>;
