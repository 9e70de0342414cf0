/** The upkeep function, as functions-framework loads it: `--target=upkeep`. */
import * as functions from '@google-cloud/functions-framework';
import { openOnce } from '../cloud/open-once.ts';
import { startService } from '../cloud/start-service.ts';
import { parseUpkeepConfiguration } from './configuration.ts';
import { openUpkeep } from './upkeep.ts';

const { settings, log } = startService('upkeep', parseUpkeepConfiguration(process.env));

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
