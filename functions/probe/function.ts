/** The probe function, as functions-framework loads it: `--target=probe`. */
import * as functions from '@google-cloud/functions-framework';
import { openMetrics } from '../cloud/metrics/open.ts';
import { startService } from '../cloud/start-service.ts';
import { parseProbeConfiguration } from './configuration.ts';
import { openProbe } from './parts.ts';

const { settings, log } = startService('probe', parseProbeConfiguration(process.env));
const writing = openMetrics({
  component: 'probe',
  configuration: settings,
  env: process.env,
  log,
});
const probe = openProbe(settings, writing.metrics, log);

/** Answers 200 with what was measured, 500 when the relay failed. */
functions.http('probe', async (request, response) => {
  if (request.method !== 'POST') {
    response.status(405).end();
    return;
  }
  try {
    const report = await probe.run();
    await writing.flush();
    response.status(report.failure === undefined ? 200 : 500).json(report);
  } catch (error) {
    log.error('the probe could not run', { error });
    response.status(500).end();
  }
});
