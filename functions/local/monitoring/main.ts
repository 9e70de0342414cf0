import { z } from 'zod';
import { logVariables, parseConfiguration } from '../../cloud/configuration.ts';
import { endOnFault } from '../../cloud/last-words.ts';
import { openLog } from '../../cloud/log.ts';
import { serve } from '../serve.ts';
import { findInfra } from './files.ts';
import { startMonitoringServer } from './server.ts';

/** The local Cloud Monitoring as a process, see serve.ts. */
const portNumber = z
  .string()
  .regex(/^[0-9]{1,5}$/)
  .default('0')
  .transform(Number)
  .describe('a port, or 0 for any free one');

const schema = z.object({
  PORT: portNumber,
  PAGE_PORT: portNumber,
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

await serve(log, async () => {
  const server = await startMonitoringServer({
    port: PORT,
    pagePort: PAGE_PORT,
    infra: INFRA_DIR ?? findInfra(import.meta.filename),
    nowMs: Date.now,
    log,
  });
  const { port, pagePort } = server;
  return { ports: { port, pagePort }, close: () => server.close() };
});
