/** The upkeep function, as functions-framework loads it: `--target=upkeep`. */
import * as functions from '@google-cloud/functions-framework';
import { watchMemory } from '../cloud/metrics/process.ts';
import { Registry } from '../cloud/metrics/registry.ts';
import { openOnce } from '../cloud/open-once.ts';
import { startService } from '../cloud/start-service.ts';
import { parseUpkeepConfiguration } from './configuration.ts';
import { openUpkeep } from './upkeep.ts';

const { settings, log } = startService('upkeep', parseUpkeepConfiguration(process.env));

const metrics = new Registry('upkeep');
watchMemory(metrics);
const failed = metrics.counter('fail_total', { reason: 'error' });

const upkeep = openOnce(() => openUpkeep(settings, log, metrics));

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
    failed.add();
    log.error('upkeep could not run', { error });
    response.status(500).end();
  }
});
