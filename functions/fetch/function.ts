/** The fetch function, as functions-framework loads it: `--target=fetch`. */
import * as functions from '@google-cloud/functions-framework';
import { startService } from '../cloud/start-service.ts';
import { parseFetchConfiguration } from './configuration.ts';
import { fetchHandler } from './handler.ts';
import { openFetcher } from './parts.ts';

const { settings, log } = startService('fetch', parseFetchConfiguration(process.env));

functions.http(
  'fetch',
  fetchHandler(() => openFetcher(settings, log), log),
);
