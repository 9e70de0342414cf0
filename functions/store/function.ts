/** The store function, as functions-framework loads it: `--target=store`. */
import * as functions from '@google-cloud/functions-framework';
import { openFunctionMetrics } from '../cloud/metrics/function-metrics.ts';
import { startService } from '../cloud/start-service.ts';
import { parseStoreConfiguration } from './configuration.ts';
import { storeHandler } from './handler.ts';
import { openStore } from './parts.ts';

const { settings, log } = startService('store', parseStoreConfiguration(process.env));
const writing = openFunctionMetrics('store', settings, log);

functions.http(
  'store',
  storeHandler(() => openStore(settings, log, writing.metrics), log, writing),
);
