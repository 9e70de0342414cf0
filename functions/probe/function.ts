/** The probe function, as functions-framework loads it: `--target=probe`. */
import * as functions from '@google-cloud/functions-framework';
import { openFunctionMetrics } from '../cloud/metrics/function-metrics.ts';
import { startService } from '../cloud/start-service.ts';
import { parseProbeConfiguration } from './configuration.ts';
import { probeHandler } from './handler.ts';
import { openProbe } from './parts.ts';

const { settings, log } = startService('probe', parseProbeConfiguration(process.env));
const writing = openFunctionMetrics('probe', settings, log);
const probe = openProbe(settings, writing.metrics, log);

functions.http(
  'probe',
  probeHandler(() => probe.run(), log, writing),
);
