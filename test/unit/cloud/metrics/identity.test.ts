import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { findIdentity } from '../../../../functions/cloud/metrics/identity.ts';

const CLOUD = join(import.meta.dirname, '../../../../functions/cloud');

it('a process has one name in its logs and its metrics', () => {
  const script = `
    import { startService } from ${JSON.stringify(join(CLOUD, 'start-service.ts'))};
    import { findIdentity } from ${JSON.stringify(join(CLOUD, 'metrics/identity.ts'))};
    const settings = { MONITORING_EMULATOR_HOST: '127.0.0.1:1', GOOGLE_CLOUD_PROJECT: 'test' };
    const { log } = startService('relay', { ok: true, value: settings });
    log.info('identity', await findIdentity('relay', settings, {}));`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    encoding: 'utf8',
  });
  const line = JSON.parse(stdout) as Record<string, unknown>;
  expect(line['task']).toMatch(/^[0-9a-f]{8}$/);
  expect(line['logging.googleapis.com/labels']).toMatchObject({ instance: line['task'] });
});

it('the name of a task begins with its revision, so that an upgrade can be judged', async () => {
  const settings = {
    METRICS: 'on' as const,
    METRICS_INTERVAL_SECONDS: 60,
    METRICS_NAMESPACE: 'test',
    MONITORING_EMULATOR_HOST: '127.0.0.1:1',
    GOOGLE_CLOUD_PROJECT: 'test',
  };
  const env = { K_SERVICE: 'relay', K_REVISION: 'relay-00007-abc' };
  expect(await findIdentity('relay', settings, env)).toMatchObject({
    job: 'relay',
    task: expect.stringMatching(/^relay-00007-abc-[0-9a-f]{8}$/),
  });
});
