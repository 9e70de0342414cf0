import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const START = join(import.meta.dirname, '../../../functions/cloud/start-service.ts');

/** Runs a process that starts as every service does and then fails. */
function run(failing: string) {
  const script = `
    import { startService } from ${JSON.stringify(START)};
    // As functions-framework does.
    process.on('exit', (code) => console.error('Process exited with code', code));
    startService('store', { ok: true, value: {
      LOG_LEVEL: 'info', LOG_FORMAT: 'json', LOG_TRACE_SAMPLE: 0, K_REVISION: 'r7',
    } });
    ${failing}
    setTimeout(() => console.log('went on'), 1_000);`;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', script],
    { encoding: 'utf8' },
  );
  return { status, stderr, lines: stdout.trim().split('\n') };
}

describe('a service with an error that nobody caught', () => {
  it.each([
    ["setImmediate(() => { throw new Error('lost') });", 'an error that nobody caught'],
    ["void Promise.reject(new Error('lost'));", 'a rejection that nobody handled'],
    ["void Promise.reject('lost');", 'a rejection that nobody handled'],
  ])('says so in one line for Error Reporting and ends with code 1: %s', (failing, message) => {
    const { status, stderr, lines } = run(failing);
    expect(status).toBe(1);
    expect(stderr).toBe('');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      {
        severity: 'ERROR',
        message,
        '@type': expect.stringMatching('ReportedErrorEvent'),
        serviceContext: { service: 'store', version: 'r7' },
        stack_trace: expect.stringMatching(/^Error: lost\n/),
      },
    ]);
  });
});
