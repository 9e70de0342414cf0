/** The fetch function, as functions-framework loads it: `--target=fetch`. */
import * as functions from '@google-cloud/functions-framework';
import { openLog } from '../cloud/log.ts';
import { parseFetchConfiguration } from './configuration.ts';
import { fetchHandler } from './handler.ts';
import { openFetcher } from './parts.ts';

const configuration = parseFetchConfiguration(process.env);
const log = openLog({
  level: configuration.ok ? configuration.value.LOG_LEVEL : 'info',
  format: configuration.ok ? configuration.value.LOG_FORMAT : 'json',
  component: 'fetch',
});
if (!configuration.ok) {
  log.error(`configuration is wrong:\n${configuration.reason}`);
  // An error thrown here would be told by functions-framework as a likely error of syntax.
  process.exit(1);
}
const settings = configuration.value;

functions.http(
  'fetch',
  fetchHandler(() => openFetcher(settings, log), log),
);
