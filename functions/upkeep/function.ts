/** The upkeep function, as functions-framework loads it: `--target=upkeep`. */
import * as functions from '@google-cloud/functions-framework';
import { openLog } from '../cloud/log.ts';
import { openOnce } from '../cloud/open-once.ts';
import { parseUpkeepConfiguration } from './configuration.ts';
import { openUpkeep } from './upkeep.ts';

const configuration = parseUpkeepConfiguration(process.env);
const log = openLog({
  level: configuration.ok ? configuration.value.LOG_LEVEL : 'info',
  format: configuration.ok ? configuration.value.LOG_FORMAT : 'json',
  component: 'upkeep',
});
if (!configuration.ok) {
  log.error(`configuration is wrong:\n${configuration.reason}`);
  // An error thrown here would be told by functions-framework as a likely error of syntax.
  process.exit(1);
}
const settings = configuration.value;

const upkeep = openOnce(() => openUpkeep(settings, log));

/** Answers 200 with what each job did, 500 when one failed, so that the scheduler tries again. */
functions.http('upkeep', async (request, response) => {
  if (request.method !== 'POST') {
    response.status(405).end();
    return;
  }
  try {
    const reports = await (await upkeep())();
    const failed = reports.some(({ result }) => result === 'failed');
    response.status(failed ? 500 : 200).json(reports);
  } catch (error) {
    log.error('upkeep could not run', { error });
    response.status(500).end();
  }
});
