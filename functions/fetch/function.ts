/** The fetch function, as functions-framework loads it: `--target=fetch`. */
import * as functions from '@google-cloud/functions-framework';
import { openFunctionMetrics } from '../cloud/metrics/function-metrics.ts';
import { startService } from '../cloud/start-service.ts';
import { parseFetchConfiguration } from './configuration.ts';
import { fetchHandler } from './handler.ts';
import { openFetcher } from './parts.ts';

const { settings, log } = startService('fetch', parseFetchConfiguration(process.env));
const writing = openFunctionMetrics('fetch', settings, log);

functions.http(
  'fetch',
  fetchHandler(() => openFetcher(settings, log, writing.metrics), log, writing),
);
