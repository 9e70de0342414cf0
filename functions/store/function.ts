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
if (!configuration.ok) {
  log.error(`configuration is wrong:\n${configuration.reason}`);
  // An error thrown here would be told by functions-framework as a likely error of syntax.
  process.exit(1);
}
const settings = configuration.value;

functions.http(
  'store',
  storeHandler(() => openStore(settings, log), log),
);
