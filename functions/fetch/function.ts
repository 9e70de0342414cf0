/** The fetch function, as functions-framework loads it: `--target=fetch`. */
import * as functions from '@google-cloud/functions-framework';
import { watchMemory } from '../cloud/metrics/process.ts';
import { Registry } from '../cloud/metrics/registry.ts';
import { startService } from '../cloud/start-service.ts';
import { parseFetchConfiguration } from './configuration.ts';
import { fetchHandler } from './handler.ts';
import { openFetcher } from './parts.ts';

const { settings, log } = startService('fetch', parseFetchConfiguration(process.env));
const metrics = new Registry('fetch');
watchMemory(metrics);

functions.http(
  'fetch',
  fetchHandler(() => openFetcher(settings, log, metrics), log, metrics),
);
