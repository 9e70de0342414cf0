/** The store function, as functions-framework loads it: `--target=store`. */
import * as functions from '@google-cloud/functions-framework';
import { watchMemory } from '../cloud/metrics/process.ts';
import { Registry } from '../cloud/metrics/registry.ts';
import { startService } from '../cloud/start-service.ts';
import { parseStoreConfiguration } from './configuration.ts';
import { storeHandler } from './handler.ts';
import { openStore } from './parts.ts';

const { settings, log } = startService('store', parseStoreConfiguration(process.env));
const metrics = new Registry('store');
watchMemory(metrics);

functions.http(
  'store',
  storeHandler(() => openStore(settings, log, metrics), log, metrics),
);
