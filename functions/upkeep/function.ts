/** The upkeep function, as functions-framework loads it: `--target=upkeep`. */
import * as functions from '@google-cloud/functions-framework';
import { startService } from '../cloud/start-service.ts';
import { parseUpkeepConfiguration } from './configuration.ts';
import { upkeepHandler } from './handler.ts';
import { openUpkeep } from './upkeep.ts';

const { settings, log } = startService('upkeep', parseUpkeepConfiguration(process.env));

functions.http(
  'upkeep',
  upkeepHandler(() => openUpkeep(settings, log), log),
);
