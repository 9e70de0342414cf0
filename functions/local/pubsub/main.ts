import { z } from 'zod';
import { logVariables, parseConfiguration } from '../../cloud/configuration.ts';
import { endOnFault } from '../../cloud/last-words.ts';
import { openLog } from '../../cloud/log.ts';
import { serve } from '../serve.ts';
import { startPubSubServer } from './server.ts';

/** The local Pub/Sub as a process, see serve.ts. */
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

await serve(log, async () => {
  const server = await startPubSubServer({
    port: PORT,
    dataDir: DATA_DIR,
    durable: DURABLE_TOPICS,
    log,
  });
  return { ports: { port: server.port }, close: () => server.close() };
});
