import { z } from 'zod';
import { logVariables, parseConfiguration } from '../../cloud/configuration.ts';
import { endOnFault } from '../../cloud/last-words.ts';
import { openLog } from '../../cloud/log.ts';
import { startPubSubServer } from './server.ts';

/**
 * The local Pub/Sub as a process. Says `{ready, port}` over its channel, if it has one, and ends
 * when that closes: a supervisor that died leaves nothing behind.
 */
const schema = z.object({
  PORT: z
    .string()
    .regex(/^[0-9]{1,5}$/)
    .default('0')
    .transform(Number)
    .describe('a port, or 0 for any free one'),
  DATA_DIR: z.string().describe('a folder that belongs to this process alone'),
  DURABLE_TOPICS: z
    .string()
    .default('incoming,incoming-dead')
    .transform((list) => list.split(',').filter((name) => name !== ''))
    .describe('ids of the topics whose messages survive a restart, separated by commas'),
  ...logVariables,
});

const configuration = parseConfiguration(schema, process.env);
if (!configuration.ok) {
  process.stderr.write(`${configuration.reason}\n`);
  process.exit(1);
}
const { PORT, DATA_DIR, DURABLE_TOPICS, LOG_LEVEL, LOG_FORMAT } = configuration.value;
const log = openLog({ level: LOG_LEVEL, format: LOG_FORMAT, component: 'pubsub' });
endOnFault(log);

try {
  const server = await startPubSubServer({
    port: PORT,
    dataDir: DATA_DIR,
    durable: DURABLE_TOPICS,
    log,
  });
  let stopping = false;
  const stop = (why: string) => {
    if (stopping) return;
    stopping = true;
    log.info('stopping', { why });
    server.close().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error('stop failed', { error });
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  process.on('disconnect', () => stop('channel closed'));
  log.info('listening', { port: server.port });
  process.send?.({ ready: true, port: server.port });
} catch (error) {
  log.error('could not start', { error });
  process.exit(1);
}
