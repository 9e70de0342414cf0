import { type Log, type LogOptions, openLog } from '../../../functions/cloud/log.ts';

function capture(options: Partial<LogOptions> = {}): { log: Log; lines: () => unknown[] } {
  const written: string[] = [];
  const log = openLog(
    { level: 'debug', format: 'json', component: 'store', ...options },
    { write: (line: string) => void written.push(line) },
  );
  return { log, lines: () => written.map((line) => JSON.parse(line) as unknown) };
}

describe('openLog', () => {
  it("writes one JSON object a line in Cloud Logging's form", () => {
    const { log, lines } = capture();
    log.info('opened', { port: 8080 });
    expect(lines()).toEqual([
      {
        severity: 'INFO',
        message: 'opened',
        component: 'store',
        port: 8080,
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      },
    ]);
  });

  it('names severities as Cloud Logging does', () => {
    const { log, lines } = capture();
    log.debug('a');
    log.info('b');
    log.warning('c');
    log.error('d');
    expect(lines()).toMatchObject([
      { severity: 'DEBUG' },
      { severity: 'INFO' },
      { severity: 'WARNING' },
      { severity: 'ERROR' },
    ]);
  });

  it('leaves out what is below its level', () => {
    const { log, lines } = capture({ level: 'warning' });
    log.info('quiet');
    log.warning('loud');
    expect(lines()).toMatchObject([{ message: 'loud' }]);
  });

  it('shows an error with its code, and its stack at severity ERROR only', () => {
    const { log, lines } = capture();
    const error = Object.assign(new TypeError('broken'), { code: 'ECONNRESET' });
    log.warning('w', { error });
    log.error('e', { error });
    const shown = { name: 'TypeError', message: 'broken', code: 'ECONNRESET' };
    expect(lines()).toMatchObject([
      { error: shown },
      { error: shown, stack_trace: expect.stringMatching('log.test') },
    ]);
    expect(lines()[0]).not.toHaveProperty('stack_trace');
  });

  it('puts the fields of a child on every line of it', () => {
    const { log, lines } = capture();
    log.child({ instance: 7 }).info('here', { more: true });
    expect(lines()).toMatchObject([{ component: 'store', instance: 7, more: true }]);
  });
});
