/** The store function, as functions-framework loads it: `--target=store`. */
import * as functions from '@google-cloud/functions-framework';
import { openLog } from '../cloud/log.ts';
import { parseStoreConfiguration } from './configuration.ts';
import { storeHandler } from './handler.ts';
import { openStore } from './parts.ts';

const configuration = parseStoreConfiguration(process.env);
const log = openLog({
  level: configuration.ok ? configuration.value.LOG_LEVEL : 'info',
  format: configuration.ok ? configuration.value.LOG_FORMAT : 'json',
  component: 'store',
});
// Said at start; loading goes on, since a deploy check loads this without the environment.
if (!configuration.ok) log.error(`configuration is wrong:\n${configuration.reason}`);

const open = async () => {
  if (!configuration.ok) throw new Error(`configuration is wrong:\n${configuration.reason}`);
  return openStore(configuration.value, log);
};

functions.http('store', storeHandler(open, log));
