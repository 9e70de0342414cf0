import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

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
