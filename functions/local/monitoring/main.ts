import { z } from 'zod';
import { logVariables, parseConfiguration } from '../../cloud/configuration.ts';
import { endOnFault } from '../../cloud/last-words.ts';
import { openLog } from '../../cloud/log.ts';
import { findInfra } from './files.ts';
import { startMonitoringServer } from './server.ts';

/**
 * The local Cloud Monitoring as a process. Says `{ready, port, pagePort}` over its channel, if it
 * has one, and ends when that closes: a supervisor that died leaves nothing behind.
 */
const port = z
  .string()
  .regex(/^[0-9]{1,5}$/)
  .default('0')
  .transform(Number)
  .describe('a port, or 0 for any free one');

const schema = z.object({
  PORT: port,
  PAGE_PORT: port,
  INFRA_DIR: z
    .string()
    .optional()
    .describe('the folder with dashboards/ and alerts/; that of the project unless set'),
  ...logVariables,
});

const configuration = parseConfiguration(schema, process.env);
if (!configuration.ok) {
  process.stderr.write(`${configuration.reason}\n`);
  process.exit(1);
}
const { PORT, PAGE_PORT, INFRA_DIR, LOG_LEVEL, LOG_FORMAT } = configuration.value;
const log = openLog({ level: LOG_LEVEL, format: LOG_FORMAT, component: 'monitoring' });
endOnFault(log);

try {
  const server = await startMonitoringServer({
    port: PORT,
    pagePort: PAGE_PORT,
    infra: INFRA_DIR ?? findInfra(import.meta.filename),
    nowMs: Date.now,
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
  log.info('listening', { port: server.port, pagePort: server.pagePort });
  process.send?.({ ready: true, port: server.port, pagePort: server.pagePort });
} catch (error) {
  log.error('could not start', { error });
  process.exit(1);
}
