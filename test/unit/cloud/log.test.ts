import { type Log, type LogOptions, openLog } from '../../../functions/cloud/log.ts';

type Line = Record<string, unknown>;

function capture(options: Partial<LogOptions> = {}): { log: Log; lines: () => Line[] } {
  const written: string[] = [];
  const log = openLog(
    { level: 'debug', format: 'json', component: 'store', ...options },
    { write: (line: string) => void written.push(line) },
  );
  return { log, lines: () => written.map((line) => JSON.parse(line) as Line) };
}

const LABELS = 'logging.googleapis.com/labels';
const TRACE = 'logging.googleapis.com/trace';
const PLACE = 'logging.googleapis.com/sourceLocation';
const HERE = {
  file: 'test/unit/cloud/log.test.ts',
  line: expect.stringMatching(/^\d+$/),
};

describe('openLog', () => {
  it("writes one JSON object a line in Cloud Logging's form", () => {
    const { log, lines } = capture({ revision: 'store-00007-abc', instance: '1f' });
    log.info('opened', { port: 8080 });
    expect(lines()).toEqual([
      {
        severity: 'INFO',
        message: 'opened',
        [LABELS]: { component: 'store', revision: 'store-00007-abc', instance: '1f' },
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
    log.fault('e');
    expect(lines().map((line) => line['severity'])).toEqual([
      'DEBUG',
      'INFO',
      'WARNING',
      'ERROR',
      'ERROR',
    ]);
  });

  it('leaves out what is below its level', () => {
    const { log, lines } = capture({ level: 'warning' });
    log.info('quiet');
    log.warning('loud');
    expect(lines()).toMatchObject([{ message: 'loud' }]);
  });

  it('puts the fields of a child on every line of it', () => {
    const { log, lines } = capture();
    log.child({ instance: 7, trace: { id: 'ab' } }).info('here', { more: true });
    expect(lines()).toMatchObject([
      { [LABELS]: { component: 'store' }, instance: 7, more: true, [TRACE]: 'ab' },
    ]);
  });

  it('names traces so that Cloud Logging groups lines by them', () => {
    const { log, lines } = capture({ project: 'my-project' });
    log.info('a', { trace: { id: 'ab', spanId: 'cd', sampled: true } });
    log.info('b', { trace: 'ab' });
    expect(lines()).toMatchObject([
      {
        [TRACE]: 'projects/my-project/traces/ab',
        'logging.googleapis.com/spanId': 'cd',
        'logging.googleapis.com/trace_sampled': true,
      },
      { [TRACE]: 'projects/my-project/traces/ab' },
    ]);
    expect(lines()[1]).not.toHaveProperty('trace');
  });

  it('is for people where it shall be pretty', () => {
    const { log, lines } = capture({ format: 'pretty', project: 'p' });
    log.error('broken', { trace: { id: 'ab' }, error: new Error('no') });
    expect(lines()).toMatchObject([
      { component: 'store', trace: 'ab', stack_trace: expect.stringMatching('log.test') },
    ]);
    expect(Object.keys(lines()[0] ?? {}).join()).not.toContain('googleapis');
  });
});

describe('errors in the log', () => {
  it('have their code; at severity ERROR the place in our code and the stack', () => {
    const { log, lines } = capture();
    const error = Object.assign(new Error('broken'), { code: 'ECONNRESET' });
    log.warning('w', { error });
    log.error('e', { error });
    const shown = { name: 'Error', message: 'broken', code: 'ECONNRESET' };
    expect(lines()[0]).toMatchObject({ error: shown });
    expect(lines()[0]).not.toHaveProperty(PLACE);
    expect(lines()[1]).toMatchObject({
      error: { ...shown, stack: expect.stringMatching('log.test') },
      [PLACE]: HERE,
    });
  });

  it('are no news for Error Reporting where they were expected', () => {
    const { log, lines } = capture();
    log.error('the database is away', {
      error: Object.assign(new Error('no'), { code: 'ECONNREFUSED' }),
    });
    expect(lines()[0]).not.toHaveProperty('@type');
    expect(lines()[0]).not.toHaveProperty('stack_trace');
  });

  it('have the shape of Error Reporting where they were not', () => {
    const { log, lines } = capture({ service: 'distrise-store', revision: 'r7' });
    log.fault('a message could not be handled', { error: new Error('no row') });
    log.error('a job failed', { error: new TypeError('undefined is no function') });
    const report = {
      severity: 'ERROR',
      '@type': 'type.googleapis.com/google.devtools.clouderrorreporting.v1beta1.ReportedErrorEvent',
      serviceContext: { service: 'distrise-store', version: 'r7' },
      stack_trace: expect.stringMatching(/^\w+: .*\n +at .*log\.test/),
      [PLACE]: HERE,
    };
    expect(lines()).toMatchObject([
      { ...report, message: 'a message could not be handled', error: { message: 'no row' } },
      { ...report, message: 'a job failed' },
    ]);
  });

  it('name the place where no error came along', () => {
    const { log, lines } = capture();
    log.fault('this cannot be');
    expect(lines()).toMatchObject([
      {
        serviceContext: { service: 'store' },
        context: { reportLocation: { filePath: HERE.file, lineNumber: expect.any(Number) } },
        [PLACE]: HERE,
      },
    ]);
  });
});

describe('what never appears in the log', () => {
  const CONTENT = 'my-private-words';
  const PASSWORD = 'hunter2';
  const NSEC = 'nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5';

  it.each(['json', 'pretty'] as const)('is a secret, in %s', (format) => {
    const { log, lines } = capture({ format });
    const url = `postgresql://distrise:${PASSWORD}@10.0.0.1:5432/distrise`;
    log.info(`connecting to ${url}`, { url, nested: { key: NSEC } });
    log.error('failed', { error: new Error(`cannot reach ${url} with ${NSEC}`) });
    log.fault('failed', { error: new Error(`cannot reach ${url} with ${NSEC}`) });
    const text = JSON.stringify(lines());
    expect(text).not.toContain(PASSWORD);
    expect(text).not.toContain(NSEC.slice(5));
    expect(text).toContain('postgresql://distrise:…@10.0.0.1:5432/distrise');
  });

  it('is what somebody wrote, in errors that repeat what they were given', () => {
    const { log, lines } = capture();
    const thrown: unknown[] = [
      Object.assign(new Error(`invalid input syntax for type json: "${CONTENT}"`), {
        code: '22P02',
        detail: CONTENT,
      }),
    ];
    for (const text of [CONTENT, `{"a":"${CONTENT}`, `{"content":"${CONTENT}",}`]) {
      try {
        JSON.parse(text);
      } catch (error) {
        thrown.push(error);
      }
    }
    expect(thrown).toHaveLength(4);
    for (const error of thrown) {
      log.warning('w', { error });
      log.error('e', { error });
      log.fault('f', { error });
    }
    expect(JSON.stringify(lines())).not.toContain('private');
    expect(lines()[0]).toMatchObject({
      error: { message: 'invalid input syntax for type json: "…"', code: '22P02' },
    });
  });
});
