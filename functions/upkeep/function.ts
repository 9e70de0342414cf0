/** The upkeep function, as functions-framework loads it: `--target=upkeep`. */
import * as functions from '@google-cloud/functions-framework';
import { openFunctionMetrics } from '../cloud/metrics/function-metrics.ts';
import { startService } from '../cloud/start-service.ts';
import { parseUpkeepConfiguration } from './configuration.ts';
import { upkeepHandler } from './handler.ts';
import { openUpkeep } from './upkeep.ts';

const { settings, log } = startService('upkeep', parseUpkeepConfiguration(process.env));
const writing = openFunctionMetrics('upkeep', settings, log);

functions.http(
  'upkeep',
  upkeepHandler(
    async () => {
      // Once for all services: they share one catalogue.
      await writing.describe();
      return openUpkeep(settings, log, writing.metrics);
    },
    log,
    writing,
  ),
);
