import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { formatEntry, parseEntry } from '../../../functions/local/entry.ts';
import { Journal, LogFile } from '../../../functions/local/journal.ts';
import { makeFolder } from '../../support/local/folder.ts';

const temporary = makeFolder();
afterAll(() => temporary.remove());

const structured = (severity: string, message: string) =>
  JSON.stringify({
    severity,
    message,
    time: '2026-01-01T00:00:00Z',
    'logging.googleapis.com/labels': { component: 'x' },
  });

const openJournal = (showFrom: 'DEBUG' | 'WARNING', format: 'json' | 'pretty' = 'pretty') => {
  let shown = '';
  const terminal = { write: (text: string) => (shown += text) };
  const journal = new Journal({ folder: temporary.path, showFrom, format, terminal });
  return { journal, shown: () => shown };
};

describe('the journal', () => {
  it('shows people warnings and worse, and keeps everything in files', () => {
    const { journal, shown } = openJournal('WARNING');
    journal.line('store', 'stdout', structured('INFO', 'a batch came'));
    journal.line('store', 'stdout', structured('ERROR', 'a batch fell'));
    journal.close();
    expect(shown()).toMatch(/^\d\d:\d\d:\d\d ERROR +store: a batch fell\n$/);
    const kept = readFileSync(join(temporary.path, 'store.log'), 'utf8');
    expect(kept).toContain('a batch came');
    expect(kept).toContain('a batch fell');
  });

  it('shows lines as they are to machines', () => {
    const { journal, shown } = openJournal('DEBUG', 'json');
    journal.line('relay-0', 'stdout', structured('DEBUG', 'hello'));
    journal.close();
    expect(shown()).toBe(`${structured('DEBUG', 'hello')}\n`);
  });

  it('passes over connections that are cut while all is being stopped', () => {
    const { journal, shown } = openJournal('DEBUG');
    journal.quieten();
    journal.line('relay-1', 'stdout', structured('WARNING', 'connection lost'));
    journal.line('relay-1', 'stdout', structured('ERROR', 'broken'));
    journal.close();
    expect(shown()).not.toContain('connection lost');
    expect(shown()).toContain('broken');
  });

  it('understands PostgreSQL, whose failed statements others report', () => {
    const line = (level: string) => `2026-11-24 00:10:55.381 UTC [11180] ${level}:  words`;
    expect(parseEntry(line('PANIC'), 'stderr')).toMatchObject({
      severity: 'CRITICAL',
      message: 'words',
    });
    expect(parseEntry(line('ERROR'), 'stderr').severity).toBe('INFO');
    expect(parseEntry(line('WARNING'), 'stderr').severity).toBe('WARNING');
  });

  it('takes plain words from stderr for a warning', () => {
    expect(parseEntry('words', 'stderr').severity).toBe('WARNING');
    expect(parseEntry('words', 'stdout').severity).toBe('INFO');
    expect(parseEntry('{"no', 'stdout').message).toBe('{"no');
  });

  it('puts further fields behind the message and a stack below it', () => {
    const fields = { count: 3, reason: 'two words', stack_trace: 'Error\n  at x' };
    const entry = { severity: 'ERROR', message: 'broken', fields } as const;
    expect(formatEntry('store', entry, new Date(2026, 0, 1, 2, 3, 4), false)).toBe(
      '02:03:04 ERROR   store: broken count=3 reason="two words"\n    Error\n      at x',
    );
  });

  it('leaves out what only products of Google read', () => {
    const line = JSON.stringify({
      severity: 'ERROR',
      message: 'broken',
      'logging.googleapis.com/trace': 'projects/p/traces/ab',
      'logging.googleapis.com/sourceLocation': { file: 'x.ts' },
      '@type': 'type.googleapis.com/…',
      serviceContext: { service: 'x' },
      httpRequest: { requestMethod: 'POST', requestUrl: '/', status: 503, latency: '0.010s' },
      error: { name: 'Error', message: 'no', stack: 'Error: no\n  at x' },
    });
    const shown = formatEntry('store', parseEntry(line, 'stdout'), new Date(), false);
    expect(shown.slice(9)).toBe(
      'ERROR   store: broken trace=ab request="POST / 503 0.010s"' +
        ' error={"name":"Error","message":"no"}\n    Error: no\n      at x',
    );
  });

  it('bounds a log file by putting it aside once', () => {
    const path = join(temporary.path, 'bounded.log');
    const file = new LogFile(path, 1_000);
    for (let index = 0; index < 100; index += 1) file.write(`${index} ${'x'.repeat(96)}`);
    file.close();
    expect(statSync(path).size).toBeLessThanOrEqual(1_100);
    expect(statSync(`${path}.1`).size).toBeLessThanOrEqual(1_100);
    expect(readFileSync(path, 'utf8')).toMatch(/^99 /m);
  });
});
