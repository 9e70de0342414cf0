/** The upkeep function, as functions-framework loads it: `--target=upkeep`. */
import * as functions from '@google-cloud/functions-framework';
import { watchMemory } from '../cloud/metrics/process.ts';
import { Registry } from '../cloud/metrics/registry.ts';
import { startService } from '../cloud/start-service.ts';
import { parseUpkeepConfiguration } from './configuration.ts';
import { upkeepHandler } from './handler.ts';
import { openUpkeep } from './upkeep.ts';

const { settings, log } = startService('upkeep', parseUpkeepConfiguration(process.env));
const metrics = new Registry('upkeep');
watchMemory(metrics);

functions.http(
  'upkeep',
  upkeepHandler(() => openUpkeep(settings, log, metrics), log, metrics),
);
